"""Where work runs: CPU worker processes, one pinned CUDA worker per GPU, or a cluster that is already there.

Every worker process has one thread for tasks and carries a label: ``CPU: 1`` or ``GPU: 1``. A task asks for a label,
and Dask sends it to a worker that has it. Since Dask waits in silence for a label that nobody has, :func:`check_labels`
asks first.

Where a study lets several GPUs learn one network together, each CUDA worker has so many (``GPU: 2``). A task that wants
one of them only has the worker for itself nevertheless: folds run side by side on workers, never on one.
"""

from __future__ import annotations

import logging
import os
import subprocess
from dataclasses import dataclass
from typing import Any, Literal

import dask
import psutil
from distributed import Client, Nanny, Scheduler, SpecCluster
from prefect_dask import DaskTaskRunner

from tasks import freed_memory
from tasks.train.repeatable import CUBLAS, REPEATABLE

GpuPolicy = Literal["auto", "require", "off"]
LOOPBACK = "127.0.0.1"
MEMORY_PER_WORKER_GIB = 2.0


WORKER_PROCESSES = {
    "distributed.worker.daemon": True,
    # In place of Dask's own, which has malloc give back freed pages at once.
    **{f"distributed.nanny.pre-spawn-environ.{name}": value for name, value in freed_memory.ENVIRONMENT.items()},
}


@dataclass(frozen=True)
class Layout:
    """How many CPU workers, and which GPUs each CUDA worker has (their indices as ``CUDA_VISIBLE_DEVICES`` takes them).

    ``together``: how many GPUs the CUDA worker with the most of them has.
    """

    cpu_workers: int
    gpus: tuple[str, ...] = ()
    together: int = 1

    @property
    def labels(self) -> set[str]:
        """Labels that its workers carry."""
        return ({"CPU"} if self.cpu_workers else set()) | ({"GPU"} if self.gpus else set())


class ClusterError(RuntimeError):
    """The cluster cannot do what the study asks for; the message says what to do."""


def local_layout(workers: int | None, gpu: GpuPolicy, together: int = 1) -> Layout:
    """A layout for this machine: as many CPU workers as cores or memory allow, and the GPUs unless they are off.

    Each CUDA worker has so many GPUs ``together``; the last one those that are left.
    """
    memory_gib = psutil.virtual_memory().total / 2**30
    most = max(1, min(os.cpu_count() or 1, int(memory_gib // MEMORY_PER_WORKER_GIB)))
    seen = () if gpu == "off" else visible_gpus()
    gpus = tuple(",".join(seen[first : first + together]) for first in range(0, len(seen), together))
    return Layout(cpu_workers=workers or most, gpus=gpus, together=min(together, len(seen)))


def remote_layout(client: Client) -> Layout:
    """The layout of a cluster that is already there, from the labels of its workers."""
    workers = client.scheduler_info(n_workers=-1)["workers"]
    labels = {address: worker.get("resources", {}) for address, worker in workers.items()}
    check_labels(client, {"CPU"})
    gpus = {address: int(carried["GPU"]) for address, carried in labels.items() if "GPU" in carried}
    cpu_workers = sum("CPU" in carried for carried in labels.values())
    return Layout(cpu_workers=cpu_workers, gpus=tuple(gpus), together=max(gpus.values(), default=0))


def visible_gpus() -> tuple[str, ...]:
    """Indices of the GPUs of this machine, without importing torch."""
    try:
        listed = subprocess.run(["nvidia-smi", "-L"], capture_output=True, text=True, timeout=20, check=True)  # noqa: S607
    except (OSError, subprocess.SubprocessError):
        return ()
    lines = [line for line in listed.stdout.splitlines() if line.startswith("GPU ")]  # others tell their parts (MIG)
    found = tuple(str(index) for index in range(len(lines)))
    allowed = os.environ.get("CUDA_VISIBLE_DEVICES")
    return found if allowed is None else tuple(index for index in allowed.split(",") if index.strip())


def local_cluster(layout: Layout, *, port: int = 0, http_port: int = 0) -> SpecCluster:
    """Start the workers of a layout on this machine, bound to the loopback interface, at any free ports by default."""
    share = layout.cpu_workers + len(layout.gpus)
    cores = max(1, (os.cpu_count() or 1) // share)
    memory = psutil.virtual_memory().total // share
    specification: dict[str, Any] = {}
    for index in range(layout.cpu_workers):
        specification[f"cpu-{index}"] = _worker("CPU", cores, memory, cuda_visible_devices="")
    for gpu in layout.gpus:
        specification[f"gpu-{gpu}"] = _worker("GPU", cores, memory, cuda_visible_devices=gpu, count=gpu.count(",") + 1)
    ports = {"port": port, "dashboard_address": f"{LOOPBACK}:{http_port}"}
    scheduler = {"cls": Scheduler, "options": {"host": LOOPBACK, **ports}}
    with dask.config.set(WORKER_PROCESSES):
        return SpecCluster(workers=specification, scheduler=scheduler, name="lesionflow", silence_logs=logging.ERROR)


def task_runner(layout: Layout | None = None) -> DaskTaskRunner:
    """The task runner of our flows. It starts a cluster with the first task submitted: a cached night needs none."""
    return DaskTaskRunner(cluster_class=local_cluster, cluster_kwargs={"layout": layout} if layout else {})


def check_labels(client: Client, wanted: set[str]) -> None:
    """Raise ``ClusterError`` at once when no worker carries a label that tasks will ask for."""
    workers = client.scheduler_info(n_workers=-1)["workers"].values()
    carried = {label for worker in workers for label in worker.get("resources", {})}
    missing = sorted(wanted - carried)
    if missing:
        raise ClusterError(
            f"no worker of the cluster carries the label {' or '.join(missing)} (there are {len(workers)} workers "
            f"with: {', '.join(sorted(carried)) or 'no label'}). Start one with "
            f'`dask worker ADDRESS --nthreads 1 --resources "{missing[0]}=1"`'
        )


def check_gpus(layout: Layout, gpu: GpuPolicy, devices: int) -> None:
    """Raise ``ClusterError`` when a study requires a GPU and there is none, or asks for more of them than a worker has.

    Where there is none and none is required, processes of a CPU worker learn together.
    """
    if gpu == "require" and not layout.gpus:
        raise ClusterError(
            'the study has gpu = "require", but there is no GPU here; use "auto", or --scheduler with a GPU worker'
        )
    if gpu != "off" and layout.gpus and layout.together < devices:
        raise ClusterError(
            f"a network of the study learns on devices = {devices}, and no worker has more GPUs than "
            f"{layout.together}: lower it, or start a worker that sees {devices} with "
            f'`dask worker ADDRESS --nthreads 1 --resources "GPU={devices}"`'
        )


def _worker(label: str, threads: int, memory: int, *, cuda_visible_devices: str, count: int = 1) -> dict[str, Any]:
    names = (
        "OMP_NUM_THREADS",
        "OPENBLAS_NUM_THREADS",
        "MKL_NUM_THREADS",
        "NUMBA_NUM_THREADS",
        "ITK_GLOBAL_DEFAULT_NUMBER_OF_THREADS",
    )
    env = {name: str(threads) for name in names} | {"CUDA_VISIBLE_DEVICES": cuda_visible_devices}
    # Read once in a process, at cuBLAS's first use: a deterministic training may not be the first on its worker.
    env |= {CUBLAS: os.environ.get(CUBLAS, REPEATABLE)}
    # The preload ties each worker's life to the driver's, and leaves Ctrl-C to it.
    options = {
        "preload": ["flows.processes"],
        "host": LOOPBACK,
        "nthreads": 1,
        "memory_limit": memory,
        "resources": {label: count},
        "env": env,
        "silence_logs": logging.ERROR,
    }
    return {"cls": Nanny, "options": options}
