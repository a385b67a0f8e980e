"""Where trainings run: processes of this machine, or a Ray cluster. Results come as they are ready."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from multiprocessing import get_context
from typing import Any, Generic, TypeVar

from trainingdoctor.errors import UserError
from trainingdoctor.verify.task import Outcome, Task, run_task

T = TypeVar("T")
R = TypeVar("R")
# A worker that dies, as one that is killed for want of memory, is started anew this many times for a task.
RETRIES = 2


@dataclass(frozen=True)
class Work(Generic[T, R]):
    """What is done with each task, by a worker. Tasks, answers and `run` itself can be pickled.

    lost: the answer for a task whose worker died each time, and the reason.  on_gpu: whether a task needs one.  folder: where
    the nodes of a cluster find the modules of `run` that are not installed.
    """

    run: Callable[[T], R]
    lost: Callable[[T, str], R]
    on_gpu: Callable[[T], bool]
    folder: str = ""


def _lost(task: Task, why: str) -> Outcome:
    return Outcome(task.variant, task.seed, None, error=why)


TRAINING = Work(run_task, _lost, lambda task: (task.device or "").startswith("cuda"))
Executor = Callable[[Sequence[Task]], Iterator[Outcome]]


def executor(name: str, jobs: int = 1, address: str | None = None) -> Executor:
    """For verify's trainings: `local`, with `jobs` at a time, or `ray`. Raises UserError for another name, and without Ray."""
    return executor_of(TRAINING, name, jobs, address)


def executor_of(
    work: Work[T, R], name: str, jobs: int = 1, address: str | None = None
) -> Callable[[Sequence[T]], Iterator[R]]:
    """The same for any work."""
    if name == "local":
        return lambda tasks: _local(work, tasks, jobs)
    if name == "ray":
        return lambda tasks: _on_ray(work, tasks, address)
    raise UserError(f"--executor {name}: use local or ray")


def _local(work: Work[T, R], tasks: Sequence[T], jobs: int) -> Iterator[R]:
    left = list(enumerate(tasks))
    tries = dict.fromkeys(range(len(tasks)), 0)
    while left:
        done: set[int] = set()
        pool = ProcessPoolExecutor(jobs, mp_context=get_context("spawn"))
        try:
            futures = {pool.submit(work.run, task): number for number, task in left}
            for future in as_completed(futures):
                answer = future.result()
                done.add(futures[future])
                yield answer
        except BrokenProcessPool:
            pass
        finally:
            # Whoever stops listening wants no further training, and not to wait for the one under way.
            _ended(pool)
        left = [(number, task) for number, task in left if number not in done]
        if left:
            # The first that was not answered is the one that took its worker down.
            number, task = left[0]
            tries[number] += 1
            if tries[number] > RETRIES:
                yield work.lost(task, "its process died, as one that runs out of memory does")
                left = left[1:]


def _ended(pool: ProcessPoolExecutor) -> None:
    """End the workers now; the pool itself waits for them: two who wait for one process miss each other's answer."""
    for worker in list((getattr(pool, "_processes", None) or {}).values()):
        worker.terminate()
    pool.shutdown(cancel_futures=True)


def _on_ray(work: Work[T, R], tasks: Sequence[T], address: str | None) -> Iterator[R]:
    ray = _ray()
    ray.init(address=address, ignore_reinit_error=True, log_to_driver=False)
    gpus = 1 if any(work.on_gpu(task) for task in tasks) else 0
    paths = {"env_vars": {"PYTHONPATH": work.folder}} if work.folder else None
    remote = ray.remote(num_cpus=1, num_gpus=gpus, max_retries=RETRIES, runtime_env=paths)(work.run)
    pending = {remote.remote(task): task for task in tasks}
    try:
        while pending:
            ready, _ = ray.wait(list(pending), num_returns=1)
            task = pending.pop(ready[0])
            try:
                yield ray.get(ready[0])
            except ray.exceptions.RayError as error:
                # What the work itself raised comes with the traceback of the worker, whose last line says it.
                raised = isinstance(error, ray.exceptions.RayTaskError)
                lines = str(error).strip().splitlines()
                yield work.lost(task, lines[-1][:200] if raised else f"its worker was lost: {lines[0][:200]}")
    finally:
        for reference in pending:
            ray.cancel(reference, force=True)


def _ray() -> Any:
    try:
        import ray
    except ImportError:
        raise UserError("--executor ray needs Ray: pip install 'trainingdoctor[ray]'") from None
    return ray
