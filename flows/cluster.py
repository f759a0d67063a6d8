"""Where work runs: CPU worker processes, one pinned CUDA worker per GPU, or a cluster that is already there.

Every worker process has one thread for tasks and carries a label: ``CPU: 1`` or ``GPU: 1``. A task asks for a label,
and Dask sends it to a worker that has it. Since Dask waits in silence for a label that nobody has, :func:`check_labels`
asks first.
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

GpuPolicy = Literal["auto", "require", "off"]
LOOPBACK = "127.0.0.1"
MEMORY_PER_WORKER_GIB = 2.0


@dataclass(frozen=True)
class Layout:
    """How many CPU workers, and which GPUs get a worker each (their indices as ``CUDA_VISIBLE_DEVICES`` takes them)."""

    cpu_workers: int
    gpus: tuple[str, ...] = ()

    @property
    def labels(self) -> set[str]:
        """Labels that its workers carry."""
        return ({"CPU"} if self.cpu_workers else set()) | ({"GPU"} if self.gpus else set())


class ClusterError(RuntimeError):
    """The cluster cannot do what the study asks for; the message says what to do."""


def local_layout(workers: int | None, gpu: GpuPolicy) -> Layout:
    """A layout for this machine: as many CPU workers as cores or memory allow, one worker per GPU unless it is off."""
    memory_gib = psutil.virtual_memory().total / 2**30
    most = max(1, min(os.cpu_count() or 1, int(memory_gib // MEMORY_PER_WORKER_GIB)))
    return Layout(cpu_workers=workers or most, gpus=() if gpu == "off" else visible_gpus())


def remote_layout(client: Client) -> Layout:
    """The layout of a cluster that is already there, from the labels of its workers."""
    workers = client.scheduler_info(n_workers=-1)["workers"]
    labels = [set(worker.get("resources", {})) for worker in workers.values()]
    check_labels(client, {"CPU"})
    gpus = tuple(address for address, carried in zip(workers, labels, strict=True) if "GPU" in carried)
    return Layout(cpu_workers=sum("CPU" in carried for carried in labels), gpus=gpus)


def visible_gpus() -> tuple[str, ...]:
    """Indices of the GPUs of this machine, without importing torch."""
    try:
        listed = subprocess.run(["nvidia-smi", "-L"], capture_output=True, text=True, timeout=20, check=True)  # noqa: S607
    except (OSError, subprocess.SubprocessError):
        return ()
    found = tuple(str(index) for index, line in enumerate(listed.stdout.splitlines()) if line.startswith("GPU "))
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
        specification[f"gpu-{gpu}"] = _worker("GPU", cores, memory, cuda_visible_devices=gpu)
    ports = {"port": port, "dashboard_address": f"{LOOPBACK}:{http_port}"}
    scheduler = {"cls": Scheduler, "options": {"host": LOOPBACK, **ports}}
    with dask.config.set({"distributed.worker.daemon": True}):
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


def _worker(label: str, threads: int, memory: int, *, cuda_visible_devices: str) -> dict[str, Any]:
    names = (
        "OMP_NUM_THREADS",
        "OPENBLAS_NUM_THREADS",
        "MKL_NUM_THREADS",
        "NUMBA_NUM_THREADS",
        "ITK_GLOBAL_DEFAULT_NUMBER_OF_THREADS",
    )
    env = {name: str(threads) for name in names} | {"CUDA_VISIBLE_DEVICES": cuda_visible_devices}
    # The preload ties each worker's life to the driver's, and leaves Ctrl-C to it.
    options = {
        "preload": ["flows.processes"],
        "host": LOOPBACK,
        "nthreads": 1,
        "memory_limit": memory,
        "resources": {label: 1},
        "env": env,
        "silence_logs": logging.ERROR,
    }
    return {"cls": Nanny, "options": options}
