"""The processes that a script starts for its ranks: the first one's work is done here, where it is watched, alone."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from multiprocessing.process import BaseProcess
from typing import Any

from torch import distributed, multiprocessing

from trainingdoctor.observing.loops import trains
from trainingdoctor.observing.ranks import Ranks
from trainingdoctor.observing.replacing import replaced, wrap


class _Ended:
    """Stands for the operating system's process of a `multiprocessing.Process` that has done its work, or is left out."""

    returncode, sentinel = 0, -1

    def wait(self, *_: Any, **__: Any) -> int:
        """All is done."""
        return self.returncode

    poll = wait

    def terminate(self) -> None:
        """There is nothing to end."""

    kill = close = terminate


class _Joined:
    """What `spawn(join=False)` gives: nobody is left to wait for."""

    processes: tuple[Any, ...] = ()

    def join(self, *_: Any, **__: Any) -> bool:
        """All have ended."""
        return True


@contextmanager
def first_rank_alone(ranks: Ranks) -> Iterator[None]:
    """Inside the block `torch.multiprocessing.spawn(f, args, nprocs)` calls f(0, *args) here, in a process group of one.

    So does the first `Process(target=f, args=...)` with an f that trains; later ones of that kind are left out.
    """
    with ExitStack() as stack:

        def spawn(function: Callable[..., Any], args: Any = (), nprocs: int = 1, *_: Any, **__: Any) -> _Joined:
            ranks.spawned = max(int(nprocs), 1)
            function(0, *args)
            return _Joined()

        def start(original: Callable[..., Any], process: Any) -> Any:
            target = process._target
            if not trains(target):
                return original(process)
            process._popen, process._sentinel = _Ended(), _Ended.sentinel
            first, ranks.spawned = not ranks.spawned, max(ranks.spawned, 1)
            if first:
                with suppress(SystemExit):
                    target(*process._args, **process._kwargs)
            return None

        def joined(original: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
            if not ranks.spawned:
                return original(*args, **kwargs)
            backend = args[0] if args else kwargs.get("backend")
            ranks.spawned = max(ranks.spawned, int(kwargs.get("world_size", -1)))
            return original(backend, store=distributed.HashStore(), rank=0, world_size=1)  # type: ignore[attr-defined]

        wrap(stack, BaseProcess, "start", start)
        replaced(stack, multiprocessing, "spawn", spawn)
        replaced(stack, sys.modules["torch.multiprocessing.spawn"], "spawn", spawn)
        if distributed.is_available():
            wrap(stack, distributed, "init_process_group", joined)
        yield
