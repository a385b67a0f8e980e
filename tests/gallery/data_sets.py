"""Data sets that raise, lie, change, hang, or give what no model takes."""

from tests.gallery.row import HEAD, Row

DATA = (
    HEAD
    + """
class Data(Dataset):
    def __init__(self, length=24):
        self.length = length
    def __len__(self):
        return self.length
    def __getitem__(self, i):
        return item(i)
def item(i):
    return x[i % 24], int(y[i % 24])
def loader(data, **options):
    global train_loader
    train_loader = DataLoader(data, **{"batch_size": 8, "shuffle": not isinstance(data, IterableDataset), **options})
"""
)
OURS = "loader(Data())"


def odd(name: str, config: str, said: str = "", **more: object) -> Row:
    """A data set: the report comes all the same."""
    return Row(name, config, said, **{"head": DATA, "judged": 25, **more})  # type: ignore[arg-type]


def items(name: str, body: str, said: str = "", **more: object) -> Row:
    """A data set by what its item is."""
    return odd(name, f"def item(i):\n    {body}\n{OURS}", said, **more)


ROWS = (
    odd("raises at len", "Data.__len__ = lambda self: 1 / 0\nloader(Data(), shuffle=False)", "raised ZeroDivisionError"),
    odd("len is negative", "loader(Data(-1), shuffle=False)", "raised ValueError"),
    odd("len is a fraction", "loader(Data(2.5), shuffle=False)", "raised TypeError"),
    odd("len is enormous", "loader(Data(10**15), shuffle=False)"),
    odd("len is more than there is", "def item(i): return pairs[i]\nloader(Data(100))", "raised IndexError"),
    odd("changes its size", "Data.__len__ = lambda self: random.randint(10, 40)\nloader(Data())", exit=0),
    odd("shrinks while it is read", "class Shrinks(Data):\n    def __getitem__(self, i):\n        self.length -= 1\n        return item(i)\nloader(Shrinks())", exit=0),
    odd("is empty", "loader(Data(0), shuffle=False)", "train_loader is empty"),
    odd("has one sample", "loader(Data(1))", exit=0),
    items("raises at item 0", "return x[1 // i], 0", "raised ZeroDivisionError"),
    odd("raises at item 7000", "def item(i):\n    if i == 7000: raise OSError('item 7000 is gone')\n    return x[i % 24], i % 2\nloader(Data(9000), batch_size=500)", "raised OSError: item 7000 is gone"),
    items("raises StopIteration", "raise StopIteration", said="the data set raised StopIteration"),
    items("raises KeyError", "raise KeyError(i)", "raised KeyError"),
    items("raises an error without a text", "class Odd(Exception):\n        def __str__(self): raise RuntimeError\n    raise Odd", "raised Odd"),
    items("raises a BaseException", "raise BaseException('base')", "raised BaseException: base"),
    items("raises MemoryError", "raise MemoryError", "raised MemoryError"),
    items("ends the process", "sys.exit(5)", "raised SystemExit: 5"),
    items("is interrupted", "raise KeyboardInterrupt", "interrupted", exit=130, judged=0),
    items("recurses", "return item(i)", "raised RecursionError"),
    items("returns None", "return None", "raised TypeError: default_collate"),
    items("returns a pair of None", "return None, None", "raised TypeError: default_collate"),
    items("returns a word", "return 'cat'", said="the model's forward raised TypeError:"),
    items("returns words as targets", "return x[i], 'cat'", said="the criterion raised TypeError:"),
    items("returns no tuple", "return x[i]", said="the criterion raised TypeError:"),
    items("returns four things", "return x[i], x[i], x[i], i % 2", said="the model's forward raised TypeError:"),
    items("returns an empty tuple", "return ()", said="iterating train_loader raised IndexError:"),
    items("returns a set", "return {i}", "raised TypeError: default_collate"),
    items("returns an object", "return object(), 1", "raised TypeError: default_collate"),
    items("returns ragged inputs", "return torch.ones(i + 1), 0", "raised RuntimeError: stack expects each tensor"),
    items("returns another shape in a later batch", "return torch.ones(4 if i < 8 else 5), i % 2", "stack expects each tensor"),
    items("returns empty tensors", "return torch.ones(0), i % 2", said="the model's forward raised RuntimeError:"),
    items("returns numbers", "return float(i), i % 2", said="the model's forward raised RuntimeError:"),
    items("returns NumPy objects", "return np.array([object()]), 1", "raised TypeError: default_collate"),
    items("returns a dictionary of its own keys", "return {'a': x[i], 'b': i}", said="the model's forward raised TypeError:"),
    items("returns dictionaries that differ", "return {str(i): x[i]}", "raised KeyError"),
    items("returns complex numbers", "return x[i].to(torch.complex64), i % 2", said="the model's forward raised RuntimeError:"),
    items("returns integers", "return x[i].long(), i % 2", said="the model's forward raised RuntimeError:"),
    items("returns Booleans", "return x[i] > 0, i % 2", said="the model's forward raised RuntimeError:"),
    items("returns double precision", "return x[i].double(), i % 2", said="the model's forward raised RuntimeError:"),
    items("returns sparse tensors", "return x[i].to_sparse(), i % 2", said="iterating train_loader raised RuntimeError:"),
    items("returns tensors on meta", "return x[i].to('meta'), i % 2", said="train_loader gives tensors on the meta"),
    items("returns what requires gradients", "return x[i].clone().requires_grad_(), i % 2", exit=0),
    items("returns NaN", "return x[i] * torch.nan, i % 2", said="96 input values of the drawn batches are"),
    items("returns infinity", "return x[i] / 0, i % 2", said="96 input values of the drawn batches are"),
    items("returns huge numbers", "return x[i] * 1e38, i % 2", said="2 input values of the drawn batches are NaN"),
    items("returns zeros", "return torch.zeros(4), i % 2", said="100% of the drawn training samples are constant: all"),
    items("targets out of range", "return x[i], 9", said="Targets go up to 9, but there are only 1"),
    items("negative targets", "return x[i], -7", said="Targets go down to -7: classes are counted"),
    items("targets of fractions", "return x[i], 0.5", said="Targets are float64 of shape ('N',), where"),
    items("targets of NaN", "return x[i], float('nan')", said="Targets are float64 of shape ('N',), where"),
    items("targets of two dimensions", "return x[i], torch.ones(3, 3)", said="Targets are float32 of shape ('N', 3, 3),"),
    items("targets that are enormous", "return x[i], 2**62", said="Targets go up to 4611686018427387904, but"),
    items("seeds the world", "torch.manual_seed(i); random.seed(i); np.random.seed(i)\n    return x[i], i % 2", exit=0),
    items("changes the folder", "os.chdir('/')\n    return x[i], i % 2", exit=0),
    items("changes itself in place", "x[i] += 1\n    return x[i], i % 2", exit=0),
    items("prints", "print('item', i); os.write(1, b'item')\n    return x[i], i % 2", exit=0),
    items("turns gradients off", "torch.set_grad_enabled(False)\n    return x[i], i % 2", exit=0),
    odd("is infinite", "class Endless(IterableDataset):\n    def __iter__(self):\n        while True: yield x[0], 0\nloader(Endless())", said="All samples get the same prediction (they"),
    odd("is a stream of nothing", "class Nothing(IterableDataset):\n    def __iter__(self): return iter(())\nloader(Nothing())", "train_loader is empty"),
    odd("is a stream that raises", "class Raises(IterableDataset):\n    def __iter__(self):\n        yield x[0], 0\n        raise OSError('stream broke')\nloader(Raises())", "raised OSError: stream broke"),
    odd("is a stream without an iterator", "class Bad(IterableDataset):\n    def __iter__(self): return 7\nloader(Bad())", "raised TypeError"),
    odd("raises at every unknown attribute", "class Trap(Data):\n    def __getattr__(self, name): raise RuntimeError('trap ' + name)\nloader(Trap())", said="iterating train_loader raised RuntimeError:"),
    odd("has every attribute", "class Yes(Data):\n    def __getattr__(self, name): return lambda *a, **k: self\nloader(Yes())", "time: ", slow=True, options=("--quick", "--time-limit", "30"), exit=0, judged=10),
    odd("targets of another length", "class More(Data): targets = list(range(1000))\nloader(More())", exit=0),
    odd("targets are a number", "class Number(Data): targets = 7\nloader(Number())", exit=0),
    odd("targets raise", "class Bad(Data): targets = property(lambda self: 1 / 0)\nloader(Bad())", exit=0),
    odd("classes are a number", "class Number(Data): classes = 7\nloader(Number())", exit=0),
    odd("transform is a word", "class Word(Data): transform = 'crop'\nloader(Word())", exit=0),
    odd("transform raises at repr", "class Shy:\n    def __repr__(self): raise RuntimeError('shy')\nclass Has(Data): transform = Shy()\nloader(Has())", exit=0),
    odd("samples are Mock objects", "from unittest.mock import MagicMock\nloader(MagicMock())", "num_samples should be a positive integer", exit=2, judged=0),
    odd("compares as neither", "class Odd(Data):\n    def __eq__(self, other): raise RuntimeError('incomparable')\n    __hash__ = None\nloader(Odd())", exit=0),
    odd("is neither true nor false", "class Odd(Data):\n    def __bool__(self): raise RuntimeError('neither')\nloader(Odd())", exit=0),
    odd("hangs at item 3", "def item(i):\n    if i == 3: time.sleep(1e6)\n    return pairs[i]\nloader(Data())", "time: ", slow=True, options=("--time-limit", "30"), judged=10, exit=0),
    odd("spins at item 3", "def item(i):\n    while i == 3: pass\n    return pairs[i]\nloader(Data())", "time: ", slow=True, options=("--time-limit", "30"), judged=10, exit=0),
    odd("hangs at len", "class Hangs(Data):\n    def __len__(self): time.sleep(1e6)\nloader(Hangs(), shuffle=False)", "time: ", slow=True, options=("--time-limit", "30"), judged=10, exit=0),
    odd("swallows the alarm at item 3", "def item(i):\n    while i == 3:\n        try: time.sleep(1e6)\n        except BaseException: pass\n    return pairs[i]\nloader(Data())", "time: ", slow=True, options=("--time-limit", "30"), judged=1, exit=0),
    odd("each item takes a second", "def item(i):\n    time.sleep(1)\n    return pairs[i]\nloader(Data())", "time: ", slow=True, options=("--time-limit", "30"), judged=10, exit=0),
)  # fmt: skip
