"""Where trainings run: processes of this machine, or a Ray cluster. Results come as they are ready."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from multiprocessing import get_context
from typing import Any

from trainingdoctor.errors import UserError
from trainingdoctor.verify.task import Outcome, Task, run_task

Executor = Callable[[Sequence[Task]], Iterator[Outcome]]
# A worker that dies, as one that is killed for want of memory, is started anew this many times for a task.
RETRIES = 2


def executor(name: str, jobs: int = 1, address: str | None = None) -> Executor:
    """`local` or `ray`. Raises UserError for another name, and where Ray is not installed."""
    if name == "local":
        return lambda tasks: _local(tasks, jobs)
    if name == "ray":
        return lambda tasks: _on_ray(tasks, address)
    raise UserError(f"--executor {name}: use local or ray")


def _local(tasks: Sequence[Task], jobs: int) -> Iterator[Outcome]:
    left = list(enumerate(tasks))
    tries = dict.fromkeys(range(len(tasks)), 0)
    while left:
        done: set[int] = set()
        pool = ProcessPoolExecutor(jobs, mp_context=get_context("spawn"))
        try:
            futures = {pool.submit(run_task, task): number for number, task in left}
            for future in as_completed(futures):
                outcome = future.result()
                done.add(futures[future])
                yield outcome
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
                yield Outcome(
                    task.variant, task.seed, None, error="its process died, as one that runs out of memory does"
                )
                left = left[1:]


def _ended(pool: ProcessPoolExecutor) -> None:
    """End the workers now; the pool itself waits for them: two who wait for one process miss each other's answer."""
    for worker in list((getattr(pool, "_processes", None) or {}).values()):
        worker.terminate()
    pool.shutdown(cancel_futures=True)


def _on_ray(tasks: Sequence[Task], address: str | None) -> Iterator[Outcome]:
    ray = _ray()
    ray.init(address=address, ignore_reinit_error=True, log_to_driver=False)
    gpus = 1 if any((task.device or "").startswith("cuda") for task in tasks) else 0
    remote = ray.remote(num_cpus=1, num_gpus=gpus, max_retries=RETRIES)(run_task)
    pending = {remote.remote(task): task for task in tasks}
    try:
        while pending:
            ready, _ = ray.wait(list(pending), num_returns=1)
            task = pending.pop(ready[0])
            try:
                yield ray.get(ready[0])
            except ray.exceptions.RayError as error:
                first = str(error).strip().splitlines()[0][:200]
                yield Outcome(task.variant, task.seed, None, error=f"its worker was lost: {first}")
    finally:
        for reference in pending:
            ray.cancel(reference, force=True)


def _ray() -> Any:
    try:
        import ray
    except ImportError:
        raise UserError("--executor ray needs Ray: pip install 'trainingdoctor[ray]'") from None
    return ray
