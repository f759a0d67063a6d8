"""Work goes where it belongs: GPU tasks to the worker that carries the GPU, everything to a scheduler that is named."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from distributed import Client

from flows.services.background import choose_port

if TYPE_CHECKING:
    from tests.flows.conftest import Workplace

pytestmark = pytest.mark.server

PROBE = """
import json, os, sys, time
from pathlib import Path
from distributed import get_worker
from prefect import flow
from prefect.runtime import flow_run
from flows.cluster import Layout, task_runner
from flows.dispatch import Dispatch
from flows.progress import RunProgress
from storage.artifacts import ArtifactStore
from storage.case import Case
from storage.ledger import Ledger, ledger_url
from tasks.freed_memory import ENVIRONMENT
from tasks.settings import StageSettings
from tasks.task import Stage, stage_task

def note(work, store, folder):
    time.sleep(0.2)  # so that nobody does everything
    where = [work.stage, get_worker().name, os.environ["CUDA_VISIBLE_DEVICES"]]
    assert ENVIRONMENT.items() <= os.environ.items()
    assert os.environ["CUBLAS_WORKSPACE_CONFIG"] == ":4096:8"
    (folder / "where.json").write_text(json.dumps(where))

TASKS = {"plain": stage_task("plain")(note), "deep": stage_task("deep", gpu=True)(note)}

@flow(task_runner=task_runner(Layout(cpu_workers=1, gpus=tuple(sys.argv[2:]))))
def probe(root):
    store, ledger, run = ArtifactStore(root), Ledger(ledger_url(root)), str(flow_run.id)
    ledger.begin(run, "probe")
    cases = [Case(id=f"C-{n}", patient=f"P-{n}", digest=str(n)) for n in range(3)]
    with RunProgress(mean_seconds={}, workers=2) as progress:
        dispatch = Dispatch(run, store, ledger, progress, {"cpu": "CPU", "gpu": "GPU"})
        for name, task in TASKS.items():
            stage = Stage(name, libraries=(), places=("tasks.classical.scoring",))
            cases = dispatch.each(
                cases, task, lambda c: stage.plan(StageSettings(), subject=c.id, inputs={"case": c.id})
            )
    folders = [store.open(name, case.keys[name]) for case in cases for name in TASKS]
    print(json.dumps([json.loads((folder / "where.json").read_text()) for folder in folders]))

if __name__ == "__main__":
    probe(Path(sys.argv[1]))
"""


def probe(workplace: Workplace, *gpus: str) -> subprocess.CompletedProcess[str]:
    """Run a flow with three plain and three GPU tasks on one CPU worker and one worker for each GPU."""
    script = workplace.file("probe.py", PROBE)
    return subprocess.run(
        [sys.executable, script, workplace.new("store"), *gpus],
        env=workplace.env | {"PREFECT_API_URL": workplace.api_url},
        capture_output=True,
        text=True,
        timeout=120,
    )


def test_a_gpu_task_lands_on_the_worker_that_carries_the_gpu(workplace: Workplace) -> None:
    done = probe(workplace, "0")
    assert done.returncode == 0, done.stderr
    where = json.loads(done.stdout)
    assert sorted(where) == [["deep", "gpu-0", "0"]] * 3 + [["plain", "cpu-0", ""]] * 3


def test_a_label_that_no_worker_carries_is_refused_at_once(workplace: Workplace) -> None:
    done = probe(workplace)
    assert done.returncode == 1
    assert "ClusterError: no worker of the cluster carries the label GPU (there are 1 workers with: CPU)" in done.stderr
    assert '--resources "GPU=1"' in done.stderr


@pytest.fixture
def scheduler(workplace: Workplace) -> Iterator[tuple[str, list[subprocess.Popen[bytes]]]]:
    """The address of a Dask scheduler that was there before, with a worker that carries no label; its processes."""
    port = choose_port(0)
    address = f"tcp://127.0.0.1:{port}"
    processes = [dask(workplace, "scheduler", "--host", "127.0.0.1", "--port", str(port))]
    try:
        processes.append(worker(workplace, address))
        yield address, processes
    finally:
        for process in reversed(processes):
            process.terminate()
            process.wait(30)


def dask(workplace: Workplace, *arguments: str) -> subprocess.Popen[bytes]:
    arguments = (*arguments, "--no-dashboard")
    return subprocess.Popen(
        [sys.executable, "-m", "dask", *arguments],
        env=workplace.env,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        cwd=workplace.folder,
    )


def worker(workplace: Workplace, address: str, *more: str) -> subprocess.Popen[bytes]:
    return dask(workplace, "worker", address, "--host", "127.0.0.1", "--nthreads", "1", "--no-nanny", *more)


def wait_for_workers(address: str, count: int) -> None:
    with Client(address) as client:
        client.wait_for_workers(count, timeout=60)


def test_a_scheduler_that_is_there_is_used_when_its_workers_carry_labels_and_is_left_running(
    workplace: Workplace, scheduler: tuple[str, list[subprocess.Popen[bytes]]], inbox_of_one: Path
) -> None:
    address, processes = scheduler
    store = workplace.new("store")
    wait_for_workers(address, 1)
    refused = workplace.run(store, inbox_of_one, None, "--scheduler", address)
    assert refused.code == 2
    assert "no worker of the cluster carries the label CPU" in refused.said

    processes.append(worker(workplace, address, "--resources", "CPU=1"))
    wait_for_workers(address, 2)
    run = workplace.run(store, inbox_of_one, None, "--scheduler", address)
    assert run.code == 0, run.said
    assert run.computed["extract"] == 1
    assert all(process.poll() is None for process in processes)
    assert workplace.running() == []
