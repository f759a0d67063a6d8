"""The Dask cluster that stays: ``python -m flows.services.dask_service --port P --http-port H [--workers N]``.

The same scheduler and the same labelled workers that a run would start for itself (`flows.cluster`), at an address that
is known. Everything is bound to 127.0.0.1; the HTTP port tells its health.
"""

from __future__ import annotations

import argparse
import json
import signal
import sys
import threading
from dataclasses import dataclass

from flows.services.background import LOCAL_HOST
from flows.services.prefect_server import get_text

CHECK_EVERY_S = 5.0


@dataclass(frozen=True)
class ClusterHealth:
    """What a scheduler says of itself: its address, and how many workers carry each label."""

    address: str
    cpu_workers: int
    gpu_workers: int


def look_at(http_port: int) -> ClusterHealth | None:
    """Ask the scheduler whose HTTP port this is; ``None`` when it does not answer."""
    try:
        said = json.loads(get_text(f"http://{LOCAL_HOST}:{http_port}/json/identity.json"))
    except json.JSONDecodeError:
        return None
    labels = [set(worker.get("resources", {})) for worker in said["workers"].values()]
    return ClusterHealth(said["address"], sum("CPU" in has for has in labels), sum("GPU" in has for has in labels))


def serve(port: int, http_port: int, workers: int | None) -> None:
    """Start the cluster, and end it in order at SIGTERM."""
    from distributed import Status

    from flows.cluster import local_cluster, local_layout

    stop = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: stop.set())
    with local_cluster(local_layout(workers, "auto"), port=port, http_port=http_port) as cluster:
        while not stop.wait(CHECK_EVERY_S):
            if cluster.status != Status.running:
                sys.exit(1)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description="A Dask cluster on 127.0.0.1, one worker per core and per GPU.")
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--http-port", type=int, required=True)
    parser.add_argument("--workers", type=int)
    arguments = parser.parse_args()
    serve(arguments.port, arguments.http_port, arguments.workers)
