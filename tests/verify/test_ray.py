"""The same plan on a cluster of two nodes, started here."""

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from trainingdoctor.verify.execute import Work, executor, executor_of
from trainingdoctor.verify.task import Size, Task, run_task

ray = pytest.importorskip("ray", reason="pip install 'trainingdoctor[ray]'")
SIZE = Size(samples=400, epochs=2, evaluation=200, longest=20)


@pytest.fixture(name="cluster", scope="module")
def cluster_() -> Iterator[Any]:
    from ray.cluster_utils import Cluster

    os.environ["RAY_DEDUP_LOGS"] = "0"
    cluster = Cluster(initialize_head=True, head_node_args={"num_cpus": 1, "include_dashboard": False})
    cluster.add_node(num_cpus=1)
    try:
        yield cluster
    finally:
        ray.shutdown()
        cluster.shutdown()


@pytest.mark.timeout(180)
def test_two_nodes_give_the_figures_of_one_process(cluster: Any, config: Path) -> None:
    tasks = [Task("after", config, seed, SIZE) for seed in range(4)]
    outcomes = {o.seed: o for o in executor("ray", address=cluster.address)(tasks)}
    assert {seed: o.accuracy for seed, o in outcomes.items()} == {t.seed: run_task(t).accuracy for t in tasks}
    assert len([n for n in ray.nodes() if n["Alive"]]) == 2


@pytest.mark.timeout(180)
def test_a_worker_that_is_lost_is_retried_and_the_rest_is_not_recomputed(
    cluster: Any, config: Path, tmp_path: Path
) -> None:
    marks = tmp_path / "marks"
    marks.mkdir()
    # The first attempt of seed 1 takes its worker down.
    died = config.read_text() + (
        f"\nimport os, pathlib, time, torch\nmarks = pathlib.Path({str(marks)!r})\nseed = torch.initial_seed()\n"
        "(marks / f'{seed}-{time.time_ns()}').touch()\n"
        "if seed == 1 and len(list(marks.glob('1-*'))) == 1: os.kill(os.getpid(), 9)\n"
    )
    tasks = [Task("after", config, seed, SIZE, {config: died}) for seed in range(3)]
    outcomes = list(executor("ray", address=cluster.address)(tasks))
    assert sorted(o.seed for o in outcomes if o.accuracy is not None) == [0, 1, 2]
    assert {seed: len(list(marks.glob(f"{seed}-*"))) for seed in range(3)} == {0: 1, 1: 2, 2: 1}


@pytest.mark.timeout(180)
def test_other_work_than_trainings_runs_there_too(cluster: Any) -> None:
    negated = Work(lambda n: -n, lambda task, why: task, lambda task: False)
    assert sorted(executor_of(negated, "ray", address=cluster.address)(range(5))) == [-4, -3, -2, -1, 0]
