"""Lets a driver notice by itself that its run is to be cancelled.

The dashboard's *Cancel* only writes the state Cancelling. A worker ends the runs that it has started; for a run started
by a command nobody listens, nor for one whose worker is gone. So every driver looks for itself.
"""

from __future__ import annotations

import atexit
import os
import signal
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from uuid import UUID

import httpx
from prefect.client.orchestration import get_client
from prefect.client.schemas.objects import StateType
from prefect.runtime import deployment

from flows.leases import mark_cancelled

LOOK_EVERY_S = 2.0
LEFT_TO_THE_WORKER_S = 20.0
"""How long a deployment's run leaves it to its worker, whose way ends in cleaner states."""


@contextmanager
def heeding_cancellation(run_id: str) -> Iterator[None]:
    """Interrupt the block, as Ctrl-C does, when the run is being cancelled in the dashboard."""
    done = threading.Event()
    patience = LEFT_TO_THE_WORKER_S if deployment.id else 0.0
    watch = threading.Thread(target=_watch, args=(run_id, patience, done), name="cancellation", daemon=True)
    watch.start()
    try:
        yield
    finally:
        done.set()


def is_being_cancelled(run_id: str) -> bool:
    """Whether somebody has asked for the end of this run; a server that does not answer says no."""
    try:
        with get_client(sync_client=True) as client:
            state = client.read_flow_run(UUID(run_id)).state
    except httpx.HTTPError:
        return False
    return state is not None and state.type in (StateType.CANCELLING, StateType.CANCELLED)


def _watch(run_id: str, patience: float, done: threading.Event) -> None:
    since: float | None = None
    with get_client(sync_client=True) as client:
        while not done.wait(LOOK_EVERY_S):
            try:
                state = client.read_flow_run(UUID(run_id)).state
            except httpx.HTTPError:
                continue  # a server that does not answer cancels nothing
            if state is None or state.type != StateType.CANCELLING:
                continue
            since = since or time.monotonic()
            if time.monotonic() - since >= patience and not done.is_set():
                # The last word: Prefect calls an interrupted run Crashed once the flow has been left.
                atexit.register(mark_cancelled, run_id, "cancelled in the dashboard")
                os.kill(os.getpid(), signal.SIGINT)
                return
