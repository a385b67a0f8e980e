"""Loaders that are empty, broken, of odd things, or whose workers die."""

from tests.gallery.row import HEAD, Row

LOADER = (
    HEAD
    + """
class Loader:
    dataset = pairs
    batch_size = 8
    def __len__(self):
        return 3
    def __iter__(self):
        yield from batches()
def batches():
    for i in range(3):
        yield x[8 * i : 8 * i + 8], y[8 * i : 8 * i + 8]
train_loader = Loader()
"""
)


def odd(name: str, config: str, said: str = "", **more: object) -> Row:
    """A loader: the report comes all the same."""
    return Row(name, config, said, **{"head": LOADER, "judged": 25, **more})  # type: ignore[arg-type]


def gives(name: str, body: str, said: str = "", **more: object) -> Row:
    """A loader by what it yields."""
    return odd(name, f"def batches():\n    {body}", said, **more)


ROWS = (
    odd("a list of batches", "train_loader = list(batches())", exit=0),
    odd("an empty list", "train_loader = []", "train_loader is empty"),
    odd("an empty tuple", "train_loader = ()", "train_loader is empty"),
    odd("a generator", "train_loader = batches()", "train_loader is its own iterator", exit=0),
    odd("a map", "train_loader = map(lambda b: b, batches())", "train_loader is its own iterator", exit=0),
    odd("a range", "train_loader = range(3)", said="the model's forward raised TypeError:"),
    odd("a set", "train_loader = {1, 2}", said="the model's forward raised TypeError:"),
    odd("length 0", "Loader.__len__ = lambda self: 0", exit=0),
    odd("length 1", "train_loader = DataLoader(pairs, 24)", exit=0),
    odd("length raises", "Loader.__len__ = lambda self: 1 / 0", exit=0),
    odd("length is negative", "Loader.__len__ = lambda self: -1", exit=0),
    odd("length is a lie", "Loader.__len__ = lambda self: 10**9", exit=0),
    odd("no length", "del Loader.__len__", exit=0),
    odd("length is a word", "Loader.__len__ = lambda self: 'three'", exit=0),
    odd("batches of one", "train_loader = DataLoader(pairs, 1)", said="Two epochs begin with the same samples"),
    odd("batch larger than the data", "train_loader = DataLoader(pairs, 1000)", exit=0),
    odd("drops its only batch", "train_loader = DataLoader(pairs, 1000, drop_last=True)", "because 24 samples make no whole batch of 1000"),
    odd("no batches, samples", "train_loader = DataLoader(pairs, batch_size=None)", said="the model's forward raised RuntimeError:"),
    odd("iter raises", "Loader.__iter__ = lambda self: 1 / 0", "raised ZeroDivisionError"),
    odd("iter gives no iterator", "Loader.__iter__ = lambda self: 7", "raised TypeError"),
    odd("iter is itself", "Loader.__iter__ = lambda self: self\nLoader.__next__ = lambda self: (x, y)", "train_loader is its own iterator", exit=0),
    odd("iter works once", "used = []\ndef batches():\n    if used: raise RuntimeError('only one epoch')\n    used.append(1)\n    yield x, y", exit=0),
    odd("iter is empty the second time", "used = []\ndef batches():\n    if not used: yield x, y\n    used.append(1)", exit=0),
    gives("raises at the third batch", "yield x, y\n    yield x, y\n    raise OSError('batch 2 is gone')", "raised OSError: batch 2 is gone"),
    gives("ends the process", "sys.exit(4)\n    yield", "raised SystemExit: 4"),
    gives("raises a BaseException", "raise BaseException('base')\n    yield", "raised BaseException: base"),
    gives("is interrupted", "raise KeyboardInterrupt\n    yield", "interrupted", exit=130, judged=0),
    gives("is infinite", "while True: yield x[:8], y[:8]", exit=0),
    gives("gives None", "yield None", said="the model's forward raised TypeError:"),
    gives("gives numbers", "yield from range(3)", said="the model's forward raised TypeError:"),
    gives("gives words", "yield 'batch'", said="the model's forward raised TypeError:"),
    gives("gives empty lists", "yield []", said="iterating train_loader raised IndexError:"),
    gives("gives empty batches", "yield x[:0], y[:0]", said="train_loader is empty: it gives no"),
    gives("gives an empty batch last", "yield x, y\n    yield x[:0], y[:0]", exit=0),
    gives("gives batches of all sizes", "yield x[:1], y[:1]\n    yield x[:7], y[:7]\n    yield x, y", exit=0),
    gives("gives the same tensor changed", "for _ in range(3):\n        x.add_(1)\n        yield x, y", exit=0),
    gives("gives NumPy arrays", "yield x.numpy(), y.numpy()", said="the model's forward raised TypeError:"),
    gives("gives lists of numbers", "yield x.tolist(), y.tolist()", said="the model's forward raised TypeError:"),
    gives("gives targets of another length", "yield x, y[:5]", said="the criterion raised ValueError: Expected"),
    gives("gives targets only", "yield None, y", said="the model's forward raised TypeError:"),
    gives("gives nested tuples", "yield ((x, (x,)), (y,))", said="the model's forward raised TypeError:"),
    gives("gives dictionaries", "yield {'image': x, 'label': y}", exit=0),
    gives("gives dictionaries without tensors", "yield {'path': ['a.png']}", said="the model's forward raised TypeError:"),
    gives("gives a named tuple", "from collections import namedtuple\n    yield namedtuple('Batch', 'x y')(x, y)", exit=0),
    gives("gives an object", "yield type('Batch', (), {'x': x, 'y': y})()", said="the model's forward raised TypeError:"),
    gives("gives tensors on meta", "yield x.to('meta'), y.to('meta')", said="train_loader gives tensors on the meta"),
    gives("gives the model", "yield model, y", said="the model's forward raised TypeError:"),
    odd("collate returns nothing", "train_loader = DataLoader(pairs, 8, collate_fn=lambda b: None)", said="the model's forward raised TypeError:"),
    odd("collate raises", "train_loader = DataLoader(pairs, 8, collate_fn=lambda b: 1 / 0)", "raised ZeroDivisionError"),
    odd("sampler out of range", "train_loader = DataLoader(pairs, 8, sampler=[99, 100])", "raised IndexError"),
    odd("sampler of words", "train_loader = DataLoader(pairs, 8, sampler=['a'])", "raised"),
    odd("sampler that raises", "def bad():\n    yield 1\n    raise OSError('sampler broke')\ntrain_loader = DataLoader(pairs, 8, sampler=bad())", "raised OSError: sampler broke"),
    odd("batch sampler of empty batches", "train_loader = DataLoader(pairs, batch_sampler=[[], []])", said="iterating train_loader raised IndexError:"),
    odd("pinned memory", "train_loader = DataLoader(pairs, 8, pin_memory=True)", said="Two epochs begin with the same samples"),
    odd("evaluation loader raises", "val_loader = DataLoader(pairs, 8, collate_fn=lambda b: 1 / 0)", "raised ZeroDivisionError", judged=40),
    odd("evaluation loader is empty", "val_loader = []", "val_loader is empty", judged=40),
    odd("evaluation loader is infinite", "val_loader = train_loader\ndef batches():\n    while True: yield x[:8], y[:8]", said="100% of the 24 evaluation samples are"),
    odd("evaluation loader of other shapes", "val_loader = DataLoader(TensorDataset(torch.randn(8, 9), y[:8]), 8)", exit=0),
    odd("augmentation raises", "def augment_on_device(x): raise ValueError('no augmentation')", "augment_on_device raised ValueError"),
    odd("augmentation returns nothing", "def augment_on_device(x): pass", said="the model's forward raised TypeError:"),
    odd("augmentation returns another shape", "def augment_on_device(x): return x[:, :2]", "the model's forward raised RuntimeError"),
    odd("a worker raises", "def bad(b): raise OSError('worker broke')\ntrain_loader = DataLoader(pairs, 8, num_workers=1, collate_fn=bad)", "raised OSError: worker broke, in a worker process"),
    odd("a worker is killed", "def dies(b):\n    if torch.utils.data.get_worker_info(): os.kill(os.getpid(), signal.SIGKILL)\n    return torch.utils.data.default_collate(b)\ntrain_loader = DataLoader(pairs, 8, num_workers=1, collate_fn=dies)", "exited unexpectedly"),
    odd("a worker's start raises", "def bad(i): raise OSError('no start')\ntrain_loader = DataLoader(pairs, 8, num_workers=1, worker_init_fn=bad)", "raised OSError: no start, in a worker process", slow=True),
    odd("a worker ends the process", "def ends(b): sys.exit(6)\ntrain_loader = DataLoader(pairs, 8, num_workers=1, collate_fn=ends)", "", slow=True),
    odd("a worker hangs", "def hangs(b): time.sleep(1e6)\ntrain_loader = DataLoader(pairs, 8, num_workers=1, collate_fn=hangs)", "time: ", slow=True, options=("--time-limit", "30"), judged=10, exit=0),
    odd("a worker hangs past its timeout", "def hangs(b): time.sleep(1e6)\ntrain_loader = DataLoader(pairs, 8, num_workers=1, timeout=1, collate_fn=hangs)", "timed out", slow=True),
    odd("workers cannot be started", "train_loader = DataLoader(pairs, 8, num_workers=1, multiprocessing_context='spawn', collate_fn=lambda b: b)", "raised", slow=True),
    odd("persistent workers", "train_loader = DataLoader(pairs, 8, num_workers=1, persistent_workers=True)", slow=True),
)  # fmt: skip
