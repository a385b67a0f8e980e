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
    gives("returns nothing", "pass", "the criterion returns a NoneType, not a tensor"),
    gives("returns a number", "return 1.0", "the criterion returns a float, not a tensor"),
    gives("returns a word", "return 'loss'", "the criterion returns a str, not a tensor"),
    gives("returns a tuple", "return output.sum(), output", "the criterion returns a tuple, not a tensor"),
    gives("returns a dictionary", "return {'loss': output.sum()}", "the criterion returns a dict, not a tensor"),
    gives("returns one loss per sample", "return nn.functional.cross_entropy(output, target, reduction='none')"),
    gives("returns an empty tensor", "return output[:0]"),
    gives("returns a constant", "return torch.tensor(1.0)"),
    gives("returns a parameter", "return model[0].bias.sum()"),
    gives("returns NaN", "return output.sum() * torch.nan"),
    gives("returns infinity", "return output.sum() / 0"),
    gives("returns complex numbers", "return output.sum().to(torch.complex64)"),
    gives("returns integers", "return output.sum().long()"),
    gives("returns minus the loss", "return -nn.functional.cross_entropy(output, target)"),
    gives("changes the output in place", "output.zero_()\n    return output.sum()"),
    gives("changes the targets in place", "target.zero_()\n    return nn.functional.cross_entropy(output, target)"),
    gives("trains on its own", "loss = nn.functional.cross_entropy(output, target)\n    loss.backward()\n    return loss"),
    gives("is random", "return output.sum() * random.random()"),
    gives("turns gradients off", "torch.set_grad_enabled(False)\n    return nn.functional.cross_entropy(output, target)"),
    gives("raises on small batches", "assert len(target) > 4, 'small'\n    return nn.functional.cross_entropy(output, target)"),
    gives("runs out of memory above 4 samples", "if len(target) > 4: raise RuntimeError('CUDA out of memory')\n    return nn.functional.cross_entropy(output, target)", "smaller batch"),
    odd("takes one argument", "criterion = lambda output: output.sum()", "the criterion raised TypeError"),
    odd("takes three arguments", "criterion = lambda a, b, c: a.sum()", "the criterion raised TypeError"),
    odd("class weights of another number", "criterion = nn.CrossEntropyLoss(weight=torch.ones(7))", "the criterion raised RuntimeError: weight tensor"),
    odd("class weights of NaN", "criterion = nn.CrossEntropyLoss(weight=torch.tensor([1.0, torch.nan]))"),
    odd("needs other targets", "criterion = nn.MSELoss()"),
    odd("needs probabilities", "criterion = nn.BCELoss()"),
    odd("a margin loss of three inputs", "criterion = nn.TripletMarginLoss()", "the criterion raised"),
    odd("a module without forward", "class Loss(nn.Module): pass\ncriterion = Loss()", "the criterion raised NotImplementedError"),
    odd("a module without super().__init__()", "class Loss(nn.Module):\n    def __init__(self): pass\n    def forward(self, o, t): return o.sum()\ncriterion = Loss()"),
    odd("raises at unknown attributes", "class Trap:\n    def __call__(self, o, t): return nn.functional.cross_entropy(o, t)\n    def __getattr__(self, name): raise RuntimeError('trap ' + name)\ncriterion = Trap()"),
    odd("has every attribute", "class Yes:\n    def __call__(self, o, t): return nn.functional.cross_entropy(o, t)\n    def __getattr__(self, name): return lambda *a: self\ncriterion = Yes()"),
    odd("a Mock", "from unittest.mock import MagicMock\ncriterion = MagicMock()"),
    odd("a partial", "from functools import partial\ncriterion = partial(nn.functional.cross_entropy, label_smoothing=0.1)"),
    odd("hangs", "def criterion(output, target): time.sleep(1e6)", "time: ", slow=True, options=("--time-limit", "6"), judged=10),
)  # fmt: skip
