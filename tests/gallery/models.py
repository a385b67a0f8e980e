"""Models that return odd things, raise at odd moments, or are of an odd kind."""

from tests.gallery.row import HEAD, Row

NET = (
    HEAD
    + """
class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.layer = nn.Linear(4, 2)
    def forward(self, x):
        return forward(self, x)
def forward(self, x):
    return self.layer(x)
def use(net):
    global model, optimizer
    model = net
    parameters = [p for p in net.parameters() if p.requires_grad] or [torch.zeros(1, requires_grad=True)]
    optimizer = torch.optim.SGD(parameters, lr=0.05, momentum=0.9)
use(Net())
"""
)


def odd(name: str, config: str, said: str = "", **more: object) -> Row:
    """A model: the report comes all the same."""
    return Row(name, config, said, **{"head": NET, "judged": 30, **more})  # type: ignore[arg-type]


def gives(name: str, body: str, said: str = "", **more: object) -> Row:
    """A model by what its forward does."""
    return odd(name, f"def forward(self, x):\n    {body}", said, **more)


FUNCTION = """
class Custom(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x):
        return x.clone()
    @staticmethod
    def backward(ctx, grad):
        {body}
def forward(self, x):
    return Custom.apply(self.layer(x))
"""

ROWS = (
    gives("returns nothing", "pass", "the model returned None: its forward has no `return`"),
    gives("returns NaN", "return self.layer(x) * torch.nan", said="The first loss is nan; all its modules'"),
    gives("returns infinity", "return self.layer(x) / 0", said="The first loss is nan; all its modules'"),
    gives("returns a tuple", "return self.layer(x), x", exit=0),
    gives("returns an empty tuple", "return ()", said="the model returned a tuple without a tensor"),
    gives("returns a dictionary", "return {'logits': self.layer(x)}", exit=0),
    gives("returns an empty dictionary", "return {}", said="the model returned a dict without a tensor"),
    gives("returns a generator", "yield self.layer(x)", said="the model returned a generator without a"),
    gives("returns a word", "return 'cat'", said="the model returned a str without a tensor"),
    gives("returns a number", "return 7.0", said="the model returned a float without a tensor"),
    gives("returns NumPy", "return self.layer(x).detach().numpy()", said="the model returned a ndarray without a"),
    gives("returns itself", "return self", said="the model returned a Net without a tensor"),
    gives("returns a class", "return torch.Tensor", said="the model returned a _TensorMeta without a"),
    gives("returns a scalar", "return self.layer(x).sum()", said="the criterion raised IndexError: Dimension"),
    gives("returns an empty tensor", "return self.layer(x)[:0]", said="the criterion raised ValueError: Expected"),
    gives("returns one row for all", "return self.layer(x)[:1]", said="the criterion raised ValueError: Expected"),
    gives("returns complex numbers", "return self.layer(x).to(torch.complex64)", said="the criterion raised NotImplementedError:"),
    gives("returns integers", "return self.layer(x).argmax(1)", said="the criterion raised RuntimeError: Expected"),
    gives("returns a sparse tensor", "return self.layer(x).to_sparse()", said="the criterion raised NotImplementedError:"),
    gives("returns a detached tensor", "return self.layer(x).detach()", said="loss.backward() raised RuntimeError:"),
    gives("returns its input", "return x", said="loss.backward() raised RuntimeError:"),
    gives("returns its weight", "return self.layer.weight", said="the criterion raised ValueError: Expected"),
    gives("returns a nested tensor", "return torch.nested.nested_tensor([r for r in self.layer(x)])", said="the criterion raised RuntimeError: Internal"),
    gives("returns another type in eval mode", "return self.layer(x) if self.training else {'logits': self.layer(x)}", exit=0),
    gives("returns nothing in eval mode", "return self.layer(x) if self.training else None", "the model returned None"),
    gives("raises in eval mode", "if not self.training: raise ValueError('only training')\n    return self.layer(x)", "the model's forward raised ValueError: only training"),
    gives("raises in train mode", "if self.training: raise ValueError('only eval')\n    return self.layer(x)", "the model's forward raised ValueError: only eval"),
    gives("raises at one sample", "if len(x) == 1: raise ValueError('one sample')\n    return self.layer(x)", exit=0),
    gives("raises the tenth time", "self.calls = getattr(self, 'calls', 0) + 1\n    if self.calls == 10: raise ValueError('tenth')\n    return self.layer(x)", exit=0),
    gives("raises at random", "if random.random() < 0.3: raise ValueError('bad luck')\n    return self.layer(x)", said="the model's forward raised ValueError: bad"),
    gives("ends the process", "sys.exit(7)", "the model's forward raised SystemExit: 7"),
    gives("is interrupted", "raise KeyboardInterrupt", "interrupted", exit=130, judged=0),
    gives("raises a BaseException", "raise BaseException('base')", "the model's forward raised BaseException: base"),
    gives("raises GeneratorExit", "raise GeneratorExit", "raised GeneratorExit", exit=0),
    gives("raises an error without a text", "class Odd(Exception):\n        def __str__(self): raise RuntimeError\n    raise Odd", "the model's forward raised Odd"),
    gives("raises NotImplementedError", "raise NotImplementedError", "the model's forward raised NotImplementedError"),
    gives("raises MemoryError", "raise MemoryError", "the model's forward raised MemoryError"),
    gives("recurses", "return self(x)", "raised RecursionError"),
    gives("runs out of memory", "raise torch.OutOfMemoryError('CUDA out of memory. Tried to allocate 9 GiB')", "out of memory"),
    gives("runs out of memory above 4 samples", "if len(x) > 4: raise RuntimeError('out of memory')\n    return self.layer(x)", "smaller batch", exit=0),
    gives("wants more memory than there is", "return self.layer(x) + torch.empty(10**15)[0]", "memory"),
    gives("wants other shapes", "return self.layer(x[:, :3])", "the model's forward raised RuntimeError: mat1 and mat2"),
    gives("turns gradients off", "torch.set_grad_enabled(False)\n    return self.layer(x)", said="loss.backward() raised RuntimeError:"),
    gives("computes without gradients", "with torch.no_grad(): return self.layer(x)", "does not require grad"),
    gives("computes in inference mode", "with torch.inference_mode(): return self.layer(x)", said="loss.backward() raised RuntimeError:"),
    gives("changes its input in place", "x.zero_()\n    return self.layer(x)", said="All samples get the same prediction (they"),
    gives("changes its output in place", "out = self.layer(x).sigmoid()\n    out2 = out * 2\n    out.zero_()\n    return out2 * out", "modified by an inplace operation"),
    gives("changes its weights in forward", "self.layer.weight.data.add_(1)\n    return self.layer(x)", said="Two evaluations of the same samples differ"),
    gives("makes a parameter in forward", "self.more = nn.Parameter(torch.ones(2))\n    return self.layer(x) * self.more", exit=0),
    gives("makes a layer in forward", "self.more = nn.Linear(2, 2)\n    return self.more(self.layer(x))", said="The model is an affine function of its"),
    gives("deletes its layer", "layer, self.layer = self.layer, None\n    return layer(x)", said="the model's forward raised TypeError:"),
    gives("seeds the world", "torch.manual_seed(0)\n    return self.layer(x)", exit=0),
    gives("trains in forward", "self.layer(x).sum().backward()\n    return self.layer(x)", said="the model's forward raised RuntimeError:"),
    gives("switches its mode", "self.train(not self.training)\n    return self.layer(x)", exit=0),
    gives("writes a file", "open('trace.txt', 'a').close(); os.remove('trace.txt')\n    return self.layer(x)", exit=0),
    gives("prints", "print('forward'); os.write(1, b'forward')\n    return self.layer(x)", exit=0),
    gives("keeps all that it saw", "self.__dict__.setdefault('seen', []).append(x)\n    return self.layer(x)", exit=0),
    odd("wants two inputs", "class Two(Net):\n    def forward(self, a, b): return self.layer(a)\nuse(Two())", "the model's forward raised TypeError"),
    odd("no forward", "class Bare(nn.Module):\n    def __init__(self):\n        super().__init__()\n        self.layer = nn.Linear(4, 2)\nuse(Bare())", "the model's forward raised NotImplementedError"),
    odd("no super().__init__()", "class Bare(nn.Module):\n    def __init__(self): pass\nmodel = Bare()", "not Bare whose __init__ does not call super().__init__()", exit=2, judged=0),
    odd("no parameters", "use(nn.Identity())", said="loss.backward() raised RuntimeError:"),
    odd("no layers", "use(nn.Sequential())", said="loss.backward() raised RuntimeError:"),
    odd("an empty parameter", "class Empty(Net):\n    def __init__(self):\n        super().__init__()\n        self.nothing = nn.Parameter(torch.empty(0))\nuse(Empty())", exit=0),
    odd("a scalar parameter", "class Scalar(Net):\n    def __init__(self):\n        super().__init__()\n        self.scale = nn.Parameter(torch.ones(()))\nuse(Scalar())", said="1 trainable tensors, 9.1% of the"),
    odd("frozen", "use(Net().requires_grad_(False))", said="None of the 10 parameters is"),
    odd("lazy", "model = nn.Sequential(nn.LazyLinear(2))", "the model has lazy parameters", exit=0, judged=8),
    odd("on meta", "use(Net().to('meta'))", "meta", judged=20, exit=0),
    odd("partly on meta", "model.extra = nn.Linear(2, 2, device='meta')", "meta", judged=20, exit=0),
    odd("half precision", "use(Net().half())", exit=0),
    odd("bfloat16", "use(Net().bfloat16())", exit=0),
    odd("double precision", "use(Net().double())", "the model's forward raised RuntimeError: mat1 and mat2 must have the same dtype"),
    odd("complex weights", "use(Net().to(torch.complex64))", said="the model's forward raised RuntimeError:"),
    odd("integer parameter", "model.counts = nn.Parameter(torch.ones(2, dtype=torch.long), requires_grad=False)", exit=0),
    odd("weights of NaN", "nn.init.constant_(model.layer.weight, torch.nan)", said="The first loss is nan; layer is the first"),
    odd("weights of infinity", "nn.init.constant_(model.layer.weight, torch.inf)", said="1 of 1 weight tensors hold a single value"),
    odd("weights of zero", "nn.init.zeros_(model.layer.weight)", exit=0),
    odd("tied", "class Tied(Net):\n    def __init__(self):\n        super().__init__()\n        self.again = nn.Linear(4, 2)\n        self.again.weight = self.layer.weight\nuse(Tied())", said="1 trainable tensors, 16.7% of the"),
    odd("one module twice", "layer = nn.Linear(4, 4)\nuse(nn.Sequential(layer, nn.ReLU(), layer, nn.Linear(4, 2)))", exit=0),
    odd("contains itself", "model.__dict__['me'] = model", exit=0),
    odd("is its own child", "model.add_module('me', model)", said="model.train() raised RecursionError:"),
    odd("quantized", "use(torch.ao.quantization.quantize_dynamic(Net(), {nn.Linear}, torch.qint8))", said="loss.backward() raised RuntimeError:"),
    odd("compiled", "model = torch.compile(Net(), backend='eager')\nuse(model)", exit=0),
    odd("scripted", "class Plain(nn.Module):\n    def __init__(self):\n        super().__init__()\n        self.layer = nn.Linear(4, 2)\n    def forward(self, x):\n        return self.layer(x)\nuse(torch.jit.script(Plain()))", exit=0),
    odd("traced", "use(torch.jit.trace(nn.Linear(4, 2), x))", exit=0),
    odd("DataParallel", "use(nn.DataParallel(Net()))", exit=0),
    odd("averaged", "use(torch.optim.swa_utils.AveragedModel(Net()))", exit=0),
    odd("in torch.fx", "import torch.fx\nuse(torch.fx.symbolic_trace(nn.Sequential(nn.Linear(4, 2))))", exit=0),
    odd("pruned", "from torch.nn.utils import prune\nprune.l1_unstructured(model.layer, 'weight', 0.5)", exit=0),
    odd("weight norm", "model.layer = nn.utils.parametrizations.weight_norm(model.layer)\nuse(model)", exit=0),
    odd("a view as parameter", "model.layer.weight = nn.Parameter(torch.randn(4, 4)[:2])\nuse(model)", exit=0),
    odd("an expanded parameter", "model.layer.weight = nn.Parameter(torch.randn(1, 4).expand(2, 4))\nuse(model)", said="optimizer.step() raised RuntimeError:"),
    odd("shared memory", "model.share_memory()", exit=0),
    odd("backward raises", FUNCTION.format(body="raise ValueError('no gradient')"), "loss.backward() raised ValueError: no gradient"),
    odd("backward returns nothing", FUNCTION.format(body="return None"), exit=0),
    odd("backward returns another shape", FUNCTION.format(body="return grad[:1, :1]"), "loss.backward() raised RuntimeError"),
    odd("backward returns NaN", FUNCTION.format(body="return grad * torch.nan"), said="The first loss is 1.78223, but the gradient"),
    odd("backward ends the process", FUNCTION.format(body="sys.exit(8)"), "raised SystemExit: 8"),
    odd("backward raises a BaseException", FUNCTION.format(body="raise BaseException('base')"), "raised BaseException: base"),
    odd("a forward hook raises", "def hook(*_): raise ValueError('hook')\nmodel.layer.register_forward_hook(hook)", "the model's forward raised ValueError: hook"),
    odd("a hook before forward raises", "def hook(*_): raise ValueError('hook')\nmodel.register_forward_pre_hook(hook)", "the model's forward raised ValueError: hook"),
    odd("a backward hook raises", "def hook(*_): raise ValueError('hook')\nmodel.layer.register_full_backward_hook(hook)", "raised ValueError: hook"),
    odd("a gradient hook raises", "def hook(_): raise ValueError('hook')\nmodel.layer.weight.register_hook(hook)", "loss.backward() raised ValueError: hook"),
    odd("a forward hook returns nonsense", "model.layer.register_forward_hook(lambda *_: 'nonsense')", said="the model returned a str without a tensor"),
    odd("a hook for every module in torch", "nn.modules.module.register_module_forward_hook(lambda *_: None)", exit=0),
    odd("raises at unknown attributes", "class Trap(Net):\n    def __getattr__(self, name):\n        if name in ('layer', '_parameters', '_buffers', '_modules'): return super().__getattr__(name)\n        raise RuntimeError('trap ' + name)\nuse(Trap())", exit=0),
    odd("has every attribute", "class Yes(Net):\n    def __getattr__(self, name):\n        try: return super().__getattr__(name)\n        except AttributeError: return lambda *a, **k: self\nuse(Yes())", exit=0),
    odd("refuses new attributes", "class Closed(Net):\n    def __setattr__(self, name, value):\n        if 'layer' in self.__dict__.get('_modules', ()) and name != 'training': raise RuntimeError('closed')\n        super().__setattr__(name, value)\nuse(Closed())", exit=0),
    odd("state_dict raises", "class Shy(Net):\n    def state_dict(self, *a, **k): raise RuntimeError('no state')\nuse(Shy())", exit=0),
    odd("parameters raises", "class Shy(Net):\n    def parameters(self, *a, **k): raise RuntimeError('no parameters')\nmodel = Shy()", "no parameters"),
    odd("modules are endless", "class Endless(Net):\n    def named_modules(self, *a, **k):\n        raise RuntimeError('no modules')\nmodel = Endless()", "no modules", exit=0),
    odd("train() raises", "class Stuck(Net):\n    def train(self, mode=True): raise RuntimeError('stuck')\nmodel.__class__ = Stuck", "raised RuntimeError: stuck"),
    odd("train() returns nothing", "class Quiet(Net):\n    def train(self, mode=True): self.training = mode\nmodel.__class__ = Quiet", exit=0),
    odd("eval() raises", "class Stuck(Net):\n    def eval(self): raise RuntimeError('no eval')\nmodel.__class__ = Stuck", "raised RuntimeError: no eval"),
    odd("repr raises", "class Shy(Net):\n    def __repr__(self): raise RuntimeError('no repr')\nmodel.__class__ = Shy", exit=0),
    odd("len raises", "class Odd(Net):\n    def __len__(self): raise RuntimeError('no len')\nmodel.__class__ = Odd", exit=0),
    odd("is false", "class Odd(Net):\n    def __len__(self): return 0\nmodel.__class__ = Odd", exit=0),
    odd("a name with markup", "model.add_module('<script>alert(1)<|script>[bold]', nn.Linear(2, 2))", said="2 trainable tensors, 37.5% of the"),
    odd("a name with escape codes", "model.add_module('\\x1b[31mred\\x1b[0m\\nline', nn.Linear(2, 2))", said="2 trainable tensors, 37.5% of the"),
    odd("a name of ten thousand letters", "model.add_module('a' * 10000, nn.Linear(2, 2))", said="2 trainable tensors, 37.5% of the"),
    odd("a class with a name of markup", "model.__class__ = type('[bold]<b>|\\n\\x1b[1m', (Net,), {})", exit=0),
    odd("a thousand layers", "use(nn.Sequential(*(nn.Identity() for _ in range(1000)), nn.Linear(4, 2)))", exit=0, slow=True),
    odd("nested two hundred deep", "deep = nn.Linear(4, 2)\nfor _ in range(200): deep = nn.Sequential(deep)\nuse(deep)", exit=0),
    odd("hangs in forward", "def forward(self, x): time.sleep(1e6)", "time: ", slow=True, options=("--time-limit", "30"), judged=10, exit=0),
    odd("spins in forward", "def forward(self, x):\n    while True: pass", "time: ", slow=True, options=("--time-limit", "30"), judged=10, exit=0),
    odd("hangs in backward", FUNCTION.format(body="time.sleep(1e6)"), "time: ", slow=True, options=("--time-limit", "30"), judged=10, exit=0),
    odd("hangs in a matrix product", "big = torch.randn(9000, 9000)\ndef forward(self, x):\n    for _ in range(10**6): big @ big", "time: ", slow=True, options=("--time-limit", "30"), judged=1, exit=0),
    odd("hangs in the standard library", "import re\ndef forward(self, x): re.match('(a+)+$', 'a' * 60 + 'b')", "time: ", slow=True, options=("--time-limit", "30"), judged=1, exit=0),
)  # fmt: skip
