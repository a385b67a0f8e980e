"""Optimizers and schedulers of other libraries, of no parameters, that raise, or that need more than a step."""

from tests.gallery.row import HEAD, Row

OWN = (
    HEAD
    + """
class Own:
    def __init__(self, parameters=None, **group):
        self.param_groups = [{"params": list(parameters or model.parameters()), "lr": 0.05, **group}]
        self.state = {}
    def zero_grad(self, set_to_none=True):
        for group in self.param_groups:
            for p in group["params"]: p.grad = None
    def step(self):
        with torch.no_grad():
            for group in self.param_groups:
                for p in group["params"]:
                    if p.grad is not None: p -= group["lr"] * p.grad
    def state_dict(self): return {}
    def load_state_dict(self, state): pass
class Schedule:
    def __init__(self): self.optimizer, self.calls = optimizer, 0
    def step(self, *_):
        self.calls += 1
        change(self.optimizer, self.calls)
def change(optimizer, calls): optimizer.param_groups[0]["lr"] *= 0.5
SGD, schedulers = torch.optim.SGD, torch.optim.lr_scheduler
"""
)


def odd(name: str, config: str, said: str = "", **more: object) -> Row:
    """An optimizer or a scheduler: the report comes all the same."""
    return Row(name, config, said, **{"head": OWN, "judged": 35, **more})  # type: ignore[arg-type]


ROWS = (
    odd("an optimizer of another library", "optimizer = Own()", exit=0),
    odd("no zero_grad", "del Own.zero_grad\noptimizer = Own()", exit=0),
    odd("no state_dict", "del Own.state_dict, Own.load_state_dict\noptimizer = Own()", exit=0),
    odd("no state", "optimizer = Own()\ndel optimizer.state", exit=0),
    odd("slots", "class Slotted(Own):\n    __slots__ = ('extra',)\noptimizer = Slotted()", exit=0),
    odd("groups that are a property", "class Prop(Own):\n    groups = property(lambda self: self.param_groups)\noptimizer = Prop()", exit=0),
    odd("no groups", "optimizer = Own()\noptimizer.param_groups = []", said="Own has no parameter group: it trains"),
    odd("an empty group", "optimizer = Own()\noptimizer.param_groups = [{'params': [], 'lr': 0.1}]", said="4 trainable parameter tensors (44 numbers,"),
    odd("a group without a rate", "optimizer = Own()\ndel optimizer.param_groups[0]['lr']", said="optimizer.step() raised KeyError: 'lr'"),
    odd("a group without parameters", "optimizer = Own()\ndel optimizer.param_groups[0]['params']", said="Own has a parameter group without"),
    odd("a rate that is a tensor", "optimizer = SGD(model.parameters(), lr=torch.tensor(0.05))", exit=0),
    odd("a rate that is a word", "optimizer = Own(lr='fast')", said="Own has lr='fast' in a parameter group: it"),
    odd("a rate of NaN", "optimizer.param_groups[0]['lr'] = float('nan')", said="SGD has lr=nan in a parameter group: it"),
    odd("a rate of infinity", "optimizer.param_groups[0]['lr'] = float('inf')", said="SGD has lr=inf in a parameter group: it"),
    odd("a negative rate", "optimizer.param_groups[0]['lr'] = -0.1", said="SGD's lr is"),
    odd("a rate of zero", "optimizer.param_groups[0]['lr'] = 0.0", said="The learning rate is zero in 3 of 3 epochs"),
    odd("a rate of None", "optimizer.param_groups[0]['lr'] = None", said="optimizer.step() raised TypeError: bad"),
    odd("weight decay of a word", "optimizer = Own(weight_decay='some')", said="Own has weight_decay='some' in a parameter"),
    odd("momentum of None", "optimizer.param_groups[0]['momentum'] = None", said="optimizer.step() raised TypeError: mul_():"),
    odd("parameters of another model", "optimizer = SGD(nn.Linear(4, 2).parameters(), lr=0.05)", said="The optimizer holds 2 tensors (10 numbers)"),
    odd("parameters twice", "p = list(model.parameters())\noptimizer = SGD([*p, *p], lr=0.05)", said="4 parameters are held more than once and"),
    odd("one group per parameter", "optimizer = SGD([{'params': [p]} for p in model.parameters()], lr=0.05)", exit=0),
    odd("a list of optimizers", "optimizer = [optimizer, SGD(nn.Linear(2, 2).parameters(), lr=0.05)]", exit=0),
    odd("LBFGS", "optimizer = torch.optim.LBFGS(model.parameters())", exit=0),
    odd("Rprop", "optimizer = torch.optim.Rprop(model.parameters())", exit=0),
    odd("SparseAdam over dense parameters", "optimizer = torch.optim.SparseAdam(list(model.parameters()))", "raised RuntimeError: SparseAdam does not support dense gradients"),
    odd("step raises", "def step(self): raise ValueError('no step')\nOwn.step = step\noptimizer = Own()", "optimizer.step() raised ValueError: no step"),
    odd("step raises a BaseException", "def step(self): raise BaseException('base')\nOwn.step = step\noptimizer = Own()", "raised BaseException: base"),
    odd("step ends the process", "def step(self): sys.exit(9)\nOwn.step = step\noptimizer = Own()", "raised SystemExit: 9"),
    odd("step does nothing", "Own.step = lambda self: None\noptimizer = Own()", exit=0),
    odd("step replaces the parameters", "def step(self):\n    model[0].weight = nn.Parameter(torch.zeros(6, 4))\nOwn.step = step\noptimizer = Own()", said="1 trainable tensors, 54.5% of the"),
    odd("step makes NaN", "def step(self):\n    for p in model.parameters(): p.data.fill_(torch.nan)\nOwn.step = step\noptimizer = Own()", said="The first loss is 0.626256, but the"),
    odd("zero_grad raises", "def zero_grad(self, **_): raise ValueError('no zero')\nOwn.zero_grad = zero_grad\noptimizer = Own()", "raised ValueError: no zero"),
    odd("zero_grad takes nothing", "def zero_grad(self): pass\nOwn.zero_grad = zero_grad\noptimizer = Own()", exit=0),
    odd("state_dict raises", "def state_dict(self): raise ValueError('no state')\nOwn.state_dict = state_dict\noptimizer = Own()", exit=0),
    odd("raises at unknown attributes", "class Trap(Own):\n    def __getattr__(self, name): raise RuntimeError('trap ' + name)\noptimizer = Trap()", exit=0),
    odd("has every attribute", "class Yes(Own):\n    def __getattr__(self, name): return lambda *a, **k: self\noptimizer = Yes()", exit=0),
    odd("repr raises", "class Shy(Own):\n    def __repr__(self): raise RuntimeError('shy')\noptimizer = Shy()", exit=0),
    odd("a class with a name of markup", "optimizer = type('[red]<i>|\\n\\x1b[1m', (Own,), {})()", exit=0),
    odd("a scheduler of another library", "scheduler = Schedule()", exit=0),
    odd("a scheduler that raises at its first step", "def change(optimizer, calls): raise ValueError('first')\nscheduler = Schedule()", "raised ValueError: first"),
    odd("a scheduler that raises at its end", "def change(optimizer, calls):\n    if calls == 3: raise ValueError('the end')\nscheduler = Schedule()", "ValueError: the end"),
    odd("a scheduler that raises a BaseException", "def change(optimizer, calls): raise BaseException('base')\nscheduler = Schedule()", "BaseException: base"),
    odd("a scheduler that ends the process", "def change(optimizer, calls): sys.exit(2)\nscheduler = Schedule()", "SystemExit: 2"),
    odd("a scheduler that is interrupted", "def change(optimizer, calls): raise KeyboardInterrupt\nscheduler = Schedule()", "interrupted", exit=130, judged=0),
    odd("one cycle that is too short", "scheduler = schedulers.OneCycleLR(optimizer, 0.1, total_steps=2)", "Tried to step"),
    odd("a scheduler that needs a metric", "scheduler = schedulers.ReduceLROnPlateau(optimizer)", exit=0),
    odd("a metric by name", "class Needs(Schedule):\n    def step(self, metrics): pass\nscheduler = Needs()", exit=0),
    odd("a scheduler of another optimizer", "scheduler = schedulers.StepLR(SGD(nn.Linear(1, 1).parameters(), 0.1), 1)", said="StepLR is bound to another optimizer than"),
    odd("a scheduler that makes NaN", "def change(optimizer, calls): optimizer.param_groups[0]['lr'] = float('nan')\nscheduler = Schedule()", said="scheduler.step() set the learning rate to"),
    odd("a scheduler that makes a word", "def change(optimizer, calls): optimizer.param_groups[0]['lr'] = 'fast'\nscheduler = Schedule()", said="scheduler.step() set the learning rate to"),
    odd("a scheduler that makes None", "def change(optimizer, calls): optimizer.param_groups[0]['lr'] = None\nscheduler = Schedule()", said="scheduler.step() set the learning rate to"),
    odd("a scheduler that removes the groups", "def change(optimizer, calls): optimizer.param_groups.clear()\nscheduler = Schedule()", exit=0),
    odd("a scheduler that adds groups", "def change(optimizer, calls): optimizer.param_groups.append({'params': [], 'lr': 1.0})\nscheduler = Schedule()", exit=0),
    odd("a scheduler whose function raises", "def rate(epoch):\n    if epoch: raise ValueError('no rate')\n    return 1.0\nscheduler = schedulers.LambdaLR(optimizer, rate)", "ValueError: no rate"),
    odd("a list of schedulers", "scheduler = [schedulers.StepLR(optimizer, 1), schedulers.ExponentialLR(optimizer, 0.9)]", exit=0),
    odd("a scheduler that is stepped already", "scheduler = schedulers.CosineAnnealingLR(optimizer, 3)\nfor _ in range(5): scheduler.step()", exit=0),
    odd("a scheduler with a trap", "class Trap:\n    def __getattr__(self, name): raise RuntimeError('trap ' + name)\nscheduler = Trap()", "scheduler must be an object with step()", exit=2, judged=0),
    odd("a scheduler that never ends", "scheduler = Schedule()\nepochs = 10**9", exit=0),
    odd("a scheduler that sleeps", "def change(optimizer, calls): time.sleep(1e6)\nscheduler = Schedule()", "time: ", slow=True, options=("--time-limit", "30"), judged=10, exit=0),
    odd("an optimizer that sleeps", "def step(self): time.sleep(1e6)\nOwn.step = step\noptimizer = Own()", "time: ", slow=True, options=("--time-limit", "30"), judged=10, exit=0),
)  # fmt: skip
