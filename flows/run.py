"""One run: what a flow needs around its stages, opened and closed in one place.

Opening a run takes the store's lock and a lease, tidies up after runs that died, and chooses the workers. Closing it
writes the ledger. The stages themselves are in the flows.
"""

from __future__ import annotations

import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from prefect import get_run_logger
from prefect.context import FlowRunContext
from prefect.exceptions import TerminationSignal
from prefect.runtime import flow_run
from prefect_dask import DaskTaskRunner

from flows.cancelling import heeding_cancellation, is_being_cancelled
from flows.cluster import GpuPolicy, Layout, check_gpus, local_layout
from flows.dispatch import Dispatch
from flows.leases import Lease, mark_crashed, reap_stale
from flows.progress import RunProgress
from flows.settings import AnyStudy
from flows.shared_cluster import enter
from flows.summary import RunSummary
from storage.artifacts import ArtifactStore
from storage.collect import in_use
from storage.errors import StoreError
from storage.ledger import Ledger, ledger_url

MINIMUM_FREE_GIB = 1.0


class RunStopped(KeyboardInterrupt):
    """A run was stopped on purpose; ``run_id`` is its id on the Prefect server."""

    def __init__(self, run_id: str) -> None:
        super().__init__(run_id)
        self.run_id = run_id


@dataclass
class Run:
    """An open run. ``summary`` is filled as the flow goes on."""

    store: ArtifactStore
    dispatch: Dispatch
    summary: RunSummary
    outbox: Path
    started: float = field(default_factory=time.perf_counter)


@contextmanager
def open_run(
    study: AnyStudy, *, store_root: Path, data: Path, workers: int | None, scheduler: str | None, devices: int = 1
) -> Iterator[Run]:
    """Open a run inside a flow. ``devices``: GPUs that a task of it takes at most.

    Raises
    ------
    StoreError
        When there is too little room, or the store is being cleaned.
    ClusterError
        When the study requires a GPU and there is none, or a task wants more of them than a worker has.
    """
    run_id = str(flow_run.id)
    store = ArtifactStore(store_root)
    ledger = Ledger(ledger_url(store.root))
    with in_use(store):
        lease = Lease(store.root / "leases", run_id).hold()
        layout = _choose_workers(study.gpu, workers, scheduler, devices)
        tidied = reap_stale(store.root / "leases", lambda dead, why: _close_dead_run(ledger, dead, why))
        check_room(store.root, data)
        ledger.begin(run_id, study.name)
        summary = RunSummary(run=run_id, study=study.name)
        state = "failed"
        try:
            with (
                heeding_cancellation(run_id),
                RunProgress(mean_seconds=ledger.mean_seconds(), workers=layout.cpu_workers) as progress,
            ):
                for line in tidied:
                    progress.say(line)
                labels = {"cpu": "CPU", "gpu": "GPU" if layout.gpus else "CPU"}
                # Workers of a cluster that stays are not this run's to end; and they may be another machine's.
                keep = (lambda _pids: None) if scheduler else lease.record_workers
                dispatch = Dispatch(run_id, store, ledger, progress, labels, on_cluster_start=keep)
                run = Run(store, dispatch, summary, store.root / "outbox" / study.name)
                try:
                    yield run
                finally:
                    _say_what_was_reused(run.dispatch)
            state = "done"
        except KeyboardInterrupt:
            state = "cancelled"
            raise RunStopped(run_id) from None
        except TerminationSignal:  # how Prefect's worker ends a run that is being cancelled
            state = "cancelled"
            raise
        except BaseException:
            # The signal may meet the run anywhere, and come out as the failure, or the cancellation, of what it met.
            state = "cancelled" if is_being_cancelled(run_id) else state
            raise
        finally:
            summary.seconds = round(time.perf_counter() - run.started, 2) if state == "done" else summary.seconds
            ledger.finish(run_id, state, summary.model_dump(mode="json"))


def _say_what_was_reused(dispatch: Dispatch) -> None:
    counts = dispatch.counts.values()
    cached, failed = sum(count.cached for count in counts), sum(count.failed for count in counts)
    pieces = cached + failed + sum(count.computed for count in counts)
    get_run_logger().info(
        "%d of %d pieces of work came from the store; %d were computed, %d failed",
        *(cached, pieces, pieces - cached - failed, failed),
    )


def check_room(store_root: Path, data: Path) -> None:
    """Refuse to start what will fill the disk: volumes on a study's grid take a few times the room of their files."""
    needed = MINIMUM_FREE_GIB * 2**30 + 3 * sum(path.stat().st_size for path in data.rglob("*") if path.is_file())
    free = shutil.disk_usage(store_root).free
    if free < needed:
        raise StoreError(
            f"{free / 2**30:.1f} GiB are free at {store_root}; about {needed / 2**30:.1f} GiB may be needed. "
            "Make room (`lesionflow gc`) or choose another --store"
        )


def _choose_workers(gpu: GpuPolicy, workers: int | None, scheduler: str | None, devices: int) -> Layout:
    """Tell this flow's task runner where to work: on workers of its own, or on the cluster of a scheduler."""
    context = FlowRunContext.get()
    if context is None or not isinstance(context.task_runner, DaskTaskRunner):
        raise RuntimeError("a run is opened inside a flow whose task runner is Dask's")
    runner = context.task_runner
    if scheduler:
        runner.address, runner.cluster_class, runner.resolved_cluster_class = scheduler, None, None
        layout = enter(runner.client)
    else:
        layout = local_layout(workers, gpu, devices)
        runner.cluster_kwargs["layout"] = layout
    check_gpus(layout, gpu, devices)
    return layout if gpu != "off" else Layout(layout.cpu_workers)


def _close_dead_run(ledger: Ledger, run_id: str, reason: str) -> None:
    mark_crashed(run_id, reason)
    if any(run.id == run_id and run.state == "running" for run in ledger.runs()):
        ledger.finish(run_id, "crashed")
