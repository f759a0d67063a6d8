"""A Dask cluster that was there before a run and stays after it: how it is entered, and how it gets rid of our work.

- *abandoned*: a task that a worker still executes although nobody waits for it, since its run was cancelled or killed.
  Dask forgets such a task and lets it go on to its end, minutes later. `StopAbandoned` ends the worker process
  instead, and its nanny starts a fresh one. It needs no word from the driver, which may be dead.
"""

from __future__ import annotations

import os
import signal
from typing import Any

from distributed import Client, Scheduler, Worker, WorkerPlugin
from tornado.ioloop import PeriodicCallback

from flows.cluster import Layout, remote_layout

LOOK_EVERY_MS = 500
RESTART_TIMEOUT_S = 120.0


class StopAbandoned(WorkerPlugin):  # type: ignore[misc]  # Distributed is not typed
    """Lets a worker with a nanny stop what nobody waits for; one without would not come back, and is left alone."""

    name = "lesionflow-stop-abandoned"

    def setup(self, worker: Worker) -> None:
        """Begin to look."""
        self._watched, self._before = worker, frozenset[str]()
        self._watch = PeriodicCallback(self._look, LOOK_EVERY_MS)
        if worker.nanny is not None:
            self._watch.start()

    def teardown(self, worker: Worker) -> None:
        """End to look."""
        del worker
        self._watch.stop()

    def _look(self) -> None:
        now = abandoned(self._watched)
        # Seen twice: it may just be ending by itself.
        if now & self._before:
            os.kill(os.getpid(), signal.SIGKILL)
        self._before = now


def abandoned(worker: Worker) -> frozenset[str]:
    """Keys of the tasks that a worker executes and nobody waits for."""
    tasks = worker.state.tasks.values()
    return frozenset(task.key for task in tasks if task.state == "cancelled" and task.previous == "executing")


def enter(client: Client) -> Layout:
    """Make a cluster ready for a run; its layout.

    A run that is alone there begins with fresh worker processes. Else they would work with the source and the
    libraries of the day on which they were started, under keys that promise today's.

    Raises
    ------
    ClusterError
        When no worker carries the label ``CPU``.
    """
    workers = client.scheduler_info(n_workers=-1)["workers"]
    replaceable = [address for address, worker in workers.items() if worker.get("nanny")]
    if replaceable and not client.run_on_scheduler(_has_work):
        client.restart_workers(replaceable, timeout=RESTART_TIMEOUT_S)
        client.wait_for_workers(len(workers), timeout=RESTART_TIMEOUT_S)
    client.register_plugin(StopAbandoned())
    return remote_layout(client)


def _has_work(dask_scheduler: Scheduler) -> bool:
    tasks: dict[str, Any] = dask_scheduler.tasks
    return bool(tasks)
