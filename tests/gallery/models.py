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
    gives("returns NaN", "return self.layer(x) * torch.nan"),
    gives("returns infinity", "return self.layer(x) / 0"),
    gives("returns a tuple", "return self.layer(x), x"),
    gives("returns an empty tuple", "return ()"),
    gives("returns a dictionary", "return {'logits': self.layer(x)}"),
    gives("returns an empty dictionary", "return {}"),
    gives("returns a generator", "yield self.layer(x)"),
    gives("returns a word", "return 'cat'"),
    gives("returns a number", "return 7.0"),
    gives("returns NumPy", "return self.layer(x).detach().numpy()"),
    gives("returns itself", "return self"),
    gives("returns a class", "return torch.Tensor"),
    gives("returns a scalar", "return self.layer(x).sum()"),
    gives("returns an empty tensor", "return self.layer(x)[:0]"),
    gives("returns one row for all", "return self.layer(x)[:1]"),
    gives("returns complex numbers", "return self.layer(x).to(torch.complex64)"),
    gives("returns integers", "return self.layer(x).argmax(1)"),
    gives("returns a sparse tensor", "return self.layer(x).to_sparse()"),
    gives("returns a detached tensor", "return self.layer(x).detach()"),
    gives("returns its input", "return x"),
    gives("returns its weight", "return self.layer.weight"),
    gives("returns a nested tensor", "return torch.nested.nested_tensor([r for r in self.layer(x)])"),
    gives("returns another type in eval mode", "return self.layer(x) if self.training else {'logits': self.layer(x)}"),
    gives("returns nothing in eval mode", "return self.layer(x) if self.training else None", "the model returned None"),
    gives("raises in eval mode", "if not self.training: raise ValueError('only training')\n    return self.layer(x)", "the model's forward raised ValueError: only training"),
    gives("raises in train mode", "if self.training: raise ValueError('only eval')\n    return self.layer(x)", "the model's forward raised ValueError: only eval"),
    gives("raises at one sample", "if len(x) == 1: raise ValueError('one sample')\n    return self.layer(x)"),
    gives("raises the tenth time", "self.calls = getattr(self, 'calls', 0) + 1\n    if self.calls == 10: raise ValueError('tenth')\n    return self.layer(x)"),
    gives("raises at random", "if random.random() < 0.3: raise ValueError('bad luck')\n    return self.layer(x)"),
    gives("ends the process", "sys.exit(7)", "the model's forward raised SystemExit: 7"),
    gives("is interrupted", "raise KeyboardInterrupt", "interrupted", exit=130, judged=0),
    gives("raises a BaseException", "raise BaseException('base')", "the model's forward raised BaseException: base"),
    gives("raises GeneratorExit", "raise GeneratorExit", "the model's forward raised GeneratorExit"),
    gives("raises an error without a text", "class Odd(Exception):\n        def __str__(self): raise RuntimeError\n    raise Odd", "the model's forward raised Odd"),
    gives("raises NotImplementedError", "raise NotImplementedError", "the model's forward raised NotImplementedError"),
    gives("raises MemoryError", "raise MemoryError", "the model's forward raised MemoryError"),
    gives("recurses", "return self(x)", "raised RecursionError"),
    gives("runs out of memory", "raise torch.OutOfMemoryError('CUDA out of memory. Tried to allocate 9 GiB')", "out of memory"),
    gives("runs out of memory above 4 samples", "if len(x) > 4: raise RuntimeError('out of memory')\n    return self.layer(x)", "smaller batch"),
    gives("wants more memory than there is", "return self.layer(x) + torch.empty(10**15)[0]", "memory"),
    gives("wants other shapes", "return self.layer(x[:, :3])", "the model's forward raised RuntimeError: mat1 and mat2"),
    gives("turns gradients off", "torch.set_grad_enabled(False)\n    return self.layer(x)"),
    gives("computes without gradients", "with torch.no_grad(): return self.layer(x)", "does not require grad"),
    gives("computes in inference mode", "with torch.inference_mode(): return self.layer(x)"),
    gives("changes its input in place", "x.zero_()\n    return self.layer(x)"),
    gives("changes its output in place", "out = self.layer(x).sigmoid()\n    out2 = out * 2\n    out.zero_()\n    return out2 * out", "modified by an inplace operation"),
    gives("changes its weights in forward", "self.layer.weight.data.add_(1)\n    return self.layer(x)"),
    gives("makes a parameter in forward", "self.more = nn.Parameter(torch.ones(2))\n    return self.layer(x) * self.more"),
    gives("makes a layer in forward", "self.more = nn.Linear(2, 2)\n    return self.more(self.layer(x))"),
    gives("deletes its layer", "layer, self.layer = self.layer, None\n    return layer(x)"),
    gives("seeds the world", "torch.manual_seed(0)\n    return self.layer(x)"),
    gives("trains in forward", "self.layer(x).sum().backward()\n    return self.layer(x)"),
    gives("switches its mode", "self.train(not self.training)\n    return self.layer(x)"),
    gives("writes a file", "open('trace.txt', 'a').close(); os.remove('trace.txt')\n    return self.layer(x)"),
    gives("prints", "print('forward'); os.write(1, b'forward')\n    return self.layer(x)"),
    gives("keeps all that it saw", "self.__dict__.setdefault('seen', []).append(x)\n    return self.layer(x)"),
    gives("two inputs wanted", "return self.layer(x)").__class__("wants two inputs", "class Two(Net):\n    def forward(self, a, b): return self.layer(a)\nuse(Two())", "the model's forward raised TypeError", head=NET, judged=30),
    odd("no forward", "class Bare(nn.Module):\n    def __init__(self):\n        super().__init__()\n        self.layer = nn.Linear(4, 2)\nuse(Bare())", "the model's forward raised NotImplementedError"),
    odd("no super().__init__()", "class Bare(nn.Module):\n    def __init__(self): pass\nmodel = Bare()", "raised AttributeError"),
    odd("no parameters", "use(nn.Identity())"),
    odd("no layers", "use(nn.Sequential())"),
    odd("an empty parameter", "class Empty(Net):\n    def __init__(self):\n        super().__init__()\n        self.nothing = nn.Parameter(torch.empty(0))\nuse(Empty())"),
    odd("a scalar parameter", "class Scalar(Net):\n    def __init__(self):\n        super().__init__()\n        self.scale = nn.Parameter(torch.ones(()))\nuse(Scalar())"),
    odd("frozen", "use(Net().requires_grad_(False))"),
    odd("lazy", "model = nn.Sequential(nn.LazyLinear(2))", "the model has lazy parameters", exit=0, judged=8),
    odd("on meta", "use(Net().to('meta'))", "meta", judged=20),
    odd("partly on meta", "model.extra = nn.Linear(2, 2, device='meta')", "meta", judged=20),
    odd("half precision", "use(Net().half())"),
    odd("bfloat16", "use(Net().bfloat16())"),
    odd("double precision", "use(Net().double())", "the model's forward raised RuntimeError: mat1 and mat2 must have the same dtype"),
    odd("complex weights", "use(Net().to(torch.complex64))"),
    odd("integer parameter", "model.counts = nn.Parameter(torch.ones(2, dtype=torch.long), requires_grad=False)"),
    odd("weights of NaN", "nn.init.constant_(model.layer.weight, torch.nan)"),
    odd("weights of infinity", "nn.init.constant_(model.layer.weight, torch.inf)"),
    odd("weights of zero", "nn.init.zeros_(model.layer.weight)"),
    odd("tied", "class Tied(Net):\n    def __init__(self):\n        super().__init__()\n        self.again = nn.Linear(4, 2)\n        self.again.weight = self.layer.weight\nuse(Tied())"),
    odd("one module twice", "layer = nn.Linear(4, 4)\nuse(nn.Sequential(layer, nn.ReLU(), layer, nn.Linear(4, 2)))"),
    odd("contains itself", "model.__dict__['me'] = model"),
    odd("is its own child", "model.add_module('me', model)"),
    odd("quantized", "use(torch.ao.quantization.quantize_dynamic(Net(), {nn.Linear}, torch.qint8))"),
    odd("compiled", "model = torch.compile(Net(), backend='eager')\nuse(model)"),
    odd("scripted", "class Plain(nn.Module):\n    def __init__(self):\n        super().__init__()\n        self.layer = nn.Linear(4, 2)\n    def forward(self, x):\n        return self.layer(x)\nuse(torch.jit.script(Plain()))"),
    odd("traced", "use(torch.jit.trace(nn.Linear(4, 2), x))"),
    odd("DataParallel", "use(nn.DataParallel(Net()))"),
    odd("averaged", "use(torch.optim.swa_utils.AveragedModel(Net()))"),
    odd("in torch.fx", "import torch.fx\nuse(torch.fx.symbolic_trace(nn.Sequential(nn.Linear(4, 2))))"),
    odd("pruned", "from torch.nn.utils import prune\nprune.l1_unstructured(model.layer, 'weight', 0.5)"),
    odd("weight norm", "model.layer = nn.utils.parametrizations.weight_norm(model.layer)\nuse(model)"),
    odd("a view as parameter", "model.layer.weight = nn.Parameter(torch.randn(4, 4)[:2])\nuse(model)"),
    odd("an expanded parameter", "model.layer.weight = nn.Parameter(torch.randn(1, 4).expand(2, 4))\nuse(model)"),
    odd("shared memory", "model.share_memory()"),
    odd("backward raises", FUNCTION.format(body="raise ValueError('no gradient')"), "loss.backward() raised ValueError: no gradient"),
    odd("backward returns nothing", FUNCTION.format(body="return None")),
    odd("backward returns another shape", FUNCTION.format(body="return grad[:1, :1]"), "loss.backward() raised RuntimeError"),
    odd("backward returns NaN", FUNCTION.format(body="return grad * torch.nan")),
    odd("backward ends the process", FUNCTION.format(body="sys.exit(8)"), "raised SystemExit: 8"),
    odd("backward raises a BaseException", FUNCTION.format(body="raise BaseException('base')"), "raised BaseException: base"),
    odd("a forward hook raises", "def hook(*_): raise ValueError('hook')\nmodel.layer.register_forward_hook(hook)", "the model's forward raised ValueError: hook"),
    odd("a hook before forward raises", "def hook(*_): raise ValueError('hook')\nmodel.register_forward_pre_hook(hook)", "the model's forward raised ValueError: hook"),
    odd("a backward hook raises", "def hook(*_): raise ValueError('hook')\nmodel.layer.register_full_backward_hook(hook)", "raised ValueError: hook"),
    odd("a gradient hook raises", "def hook(_): raise ValueError('hook')\nmodel.layer.weight.register_hook(hook)", "loss.backward() raised ValueError: hook"),
    odd("a forward hook returns nonsense", "model.layer.register_forward_hook(lambda *_: 'nonsense')"),
    odd("a hook for every module in torch", "nn.modules.module.register_module_forward_hook(lambda *_: None)"),
    odd("raises at unknown attributes", "class Trap(Net):\n    def __getattr__(self, name):\n        if name in ('layer', '_parameters', '_buffers', '_modules'): return super().__getattr__(name)\n        raise RuntimeError('trap ' + name)\nuse(Trap())"),
    odd("has every attribute", "class Yes(Net):\n    def __getattr__(self, name):\n        try: return super().__getattr__(name)\n        except AttributeError: return lambda *a, **k: self\nuse(Yes())"),
    odd("refuses new attributes", "class Closed(Net):\n    def __setattr__(self, name, value):\n        if 'layer' in self.__dict__.get('_modules', ()) and name != 'training': raise RuntimeError('closed')\n        super().__setattr__(name, value)\nuse(Closed())"),
    odd("state_dict raises", "class Shy(Net):\n    def state_dict(self, *a, **k): raise RuntimeError('no state')\nuse(Shy())"),
    odd("parameters raises", "class Shy(Net):\n    def parameters(self, *a, **k): raise RuntimeError('no parameters')\nmodel = Shy()", "no parameters"),
    odd("modules are endless", "class Endless(Net):\n    def named_modules(self, *a, **k):\n        raise RuntimeError('no modules')\nmodel = Endless()", "no modules"),
    odd("train() raises", "class Stuck(Net):\n    def train(self, mode=True): raise RuntimeError('stuck')\nmodel.__class__ = Stuck", "raised RuntimeError: stuck"),
    odd("train() returns nothing", "class Quiet(Net):\n    def train(self, mode=True): self.training = mode\nmodel.__class__ = Quiet"),
    odd("eval() raises", "class Stuck(Net):\n    def eval(self): raise RuntimeError('no eval')\nmodel.__class__ = Stuck", "raised RuntimeError: no eval"),
    odd("repr raises", "class Shy(Net):\n    def __repr__(self): raise RuntimeError('no repr')\nmodel.__class__ = Shy"),
    odd("len raises", "class Odd(Net):\n    def __len__(self): raise RuntimeError('no len')\nmodel.__class__ = Odd"),
    odd("is false", "class Odd(Net):\n    def __len__(self): return 0\nmodel.__class__ = Odd"),
    odd("a name with markup", "model.add_module('<script>alert(1)<|script>[bold]', nn.Linear(2, 2))"),
    odd("a name with escape codes", "model.add_module('\\x1b[31mred\\x1b[0m\\nline', nn.Linear(2, 2))"),
    odd("a name of ten thousand letters", "model.add_module('a' * 10000, nn.Linear(2, 2))"),
    odd("a class with a name of markup", "model.__class__ = type('[bold]<b>|\\n\\x1b[1m', (Net,), {})"),
    odd("a thousand layers", "use(nn.Sequential(*(nn.Identity() for _ in range(1000)), nn.Linear(4, 2)))"),
    odd("nested two hundred deep", "deep = nn.Linear(4, 2)\nfor _ in range(200): deep = nn.Sequential(deep)\nuse(deep)"),
    odd("hangs in forward", "def forward(self, x): time.sleep(1e6)", "time: ", slow=True, options=("--time-limit", "6"), judged=10),
    odd("spins in forward", "def forward(self, x):\n    while True: pass", "time: ", slow=True, options=("--time-limit", "6"), judged=10),
    odd("hangs in backward", FUNCTION.format(body="time.sleep(1e6)"), "time: ", slow=True, options=("--time-limit", "6"), judged=10),
    odd("hangs in a matrix product", "big = torch.randn(9000, 9000)\ndef forward(self, x):\n    for _ in range(10**6): big @ big", "time: ", slow=True, options=("--time-limit", "6"), judged=1),
    odd("hangs in the standard library", "import re\ndef forward(self, x): re.match('(a+)+$', 'a' * 60 + 'b')", "time: ", slow=True, options=("--time-limit", "6"), judged=1),
)  # fmt: skip
