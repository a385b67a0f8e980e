"""Criteria that raise, or return what nobody can descend."""

from tests.gallery.row import Row


def gives(name: str, body: str, said: str = "", **more: object) -> Row:
    """A criterion by what it does."""
    return odd(name, f"def criterion(output, target):\n    {body}", said, **more)


def odd(name: str, config: str, said: str = "", **more: object) -> Row:
    """A criterion: the report comes all the same."""
    return Row(name, config, said, **{"judged": 35, **more})  # type: ignore[arg-type]


ROWS = (
    gives("raises", "raise ValueError('no loss')", "the criterion raised ValueError: no loss"),
    gives("raises a BaseException", "raise BaseException('base')", "the criterion raised BaseException: base"),
    gives("ends the process", "sys.exit(1)", "the criterion raised SystemExit: 1"),
    gives("is interrupted", "raise KeyboardInterrupt", "interrupted", exit=130, judged=0),
    gives("returns nothing", "pass", "the criterion returned None, not a tensor"),
    gives("returns a number", "return 1.0", "the criterion returned a float, not a tensor"),
    gives("returns a word", "return 'loss'", "the criterion returned a str, not a tensor"),
    gives("returns a tuple", "return output.sum(), output", "the criterion returns a tuple, not a tensor", exit=0),
    gives("returns a dictionary", "return {'loss': output.sum()}", "the criterion returns a dict, not a tensor", exit=0),
    gives("returns one loss per sample", "return nn.functional.cross_entropy(output, target, reduction='none')", said="criterion returns one loss per sample:"),
    gives("returns an empty tensor", "return output[:0]", exit=0),
    gives("returns a constant", "return torch.tensor(1.0)", said="criterion rises when the right class's"),
    gives("returns a parameter", "return model[0].bias.sum()", said="criterion rises when the right class's"),
    gives("returns NaN", "return output.sum() * torch.nan", said="criterion rises when the right class's"),
    gives("returns infinity", "return output.sum() / 0", said="criterion rises when the right class's"),
    gives("returns complex numbers", "return output.sum().to(torch.complex64)", said="loss.backward() raised RuntimeError"),
    gives("returns integers", "return output.sum().long()", said="loss.backward() raised RuntimeError"),
    gives("returns minus the loss", "return -nn.functional.cross_entropy(output, target)", said="criterion rises when the right class's"),
    gives("changes the output in place", "output.zero_()\n    return output.sum()", said="criterion rises when the right class's"),
    gives("changes the targets in place", "target.zero_()\n    return nn.functional.cross_entropy(output, target)", said="criterion rises when the right class's"),
    gives("trains on its own", "loss = nn.functional.cross_entropy(output, target)\n    loss.backward()\n    return loss", said="loss.backward() raised RuntimeError: Trying"),
    gives("is random", "return output.sum() * random.random()", said="criterion rises when the right class's"),
    gives("turns gradients off", "torch.set_grad_enabled(False)\n    return nn.functional.cross_entropy(output, target)", said="loss.backward() raised RuntimeError:"),
    gives("raises on small batches", "assert len(target) > 4, 'small'\n    return nn.functional.cross_entropy(output, target)", said="the criterion raised AssertionError: small"),
    gives("runs out of memory above 4 samples", "if len(target) > 4: raise RuntimeError('CUDA out of memory')\n    return nn.functional.cross_entropy(output, target)", "smaller batch", exit=0),
    odd("takes one argument", "criterion = lambda output: output.sum()", "the criterion raised TypeError"),
    odd("takes three arguments", "criterion = lambda a, b, c: a.sum()", "the criterion raised TypeError"),
    odd("class weights of another number", "criterion = nn.CrossEntropyLoss(weight=torch.ones(7))", "the criterion raised RuntimeError: weight tensor"),
    odd("class weights of NaN", "criterion = nn.CrossEntropyLoss(weight=torch.tensor([1.0, torch.nan]))", said="CrossEntropyLoss rises when the right"),
    odd("needs other targets", "criterion = nn.MSELoss()", said="the criterion raised RuntimeError: The size"),
    odd("needs probabilities", "criterion = nn.BCELoss()", said="the criterion raised ValueError: Using a"),
    odd("a margin loss of three inputs", "criterion = nn.TripletMarginLoss()", "the criterion raised"),
    odd("a module without forward", "class Loss(nn.Module): pass\ncriterion = Loss()", "the criterion raised NotImplementedError"),
    odd("a module without super().__init__()", "class Loss(nn.Module):\n    def __init__(self): pass\n    def forward(self, o, t): return o.sum()\ncriterion = Loss()", "not Loss whose __init__ does not call super().__init__()", exit=2, judged=0),
    odd("raises at unknown attributes", "class Trap:\n    def __call__(self, o, t): return nn.functional.cross_entropy(o, t)\n    def __getattr__(self, name): raise RuntimeError('trap ' + name)\ncriterion = Trap()", exit=0),
    odd("has every attribute", "class Yes:\n    def __call__(self, o, t): return nn.functional.cross_entropy(o, t)\n    def __getattr__(self, name): return lambda *a: self\ncriterion = Yes()", exit=0),
    odd("a Mock", "from unittest.mock import MagicMock\ncriterion = MagicMock()", exit=0),
    odd("a partial", "from functools import partial\ncriterion = partial(nn.functional.cross_entropy, label_smoothing=0.1)", exit=0),
    odd("hangs", "def criterion(output, target): time.sleep(1e6)", "time: ", slow=True, options=("--time-limit", "30"), judged=10, exit=0),
)  # fmt: skip
