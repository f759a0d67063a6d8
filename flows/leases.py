"""Leases: what a run leaves in the store while it works, so that its sudden end can be tidied up after.

A killed driver cannot report anything: its run stays RUNNING on the server, and its workers may live on. So the driver
holds a *lease*, a small file ``leases/<flow run id>.json`` with its own identity and that of its workers. It is deleted
when the driver ends in order; a lease whose driver is gone is *stale*. The next run *reaps* stale leases before it
starts.
"""

from __future__ import annotations

import atexit
import json
import os
import socket
from collections.abc import Callable, Iterable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Self
from uuid import UUID

from pydantic import BaseModel, ConfigDict, ValidationError

from flows.processes import Identity, identity_of, is_alive, kill_tree, own_identity

if TYPE_CHECKING:
    from prefect.client.orchestration import SyncPrefectClient
    from prefect.client.schemas.objects import State, TaskRun


class LeaseRecord(BaseModel):
    """What a lease file says.

    Attributes
    ----------
    flow_run_id
        Prefect's id of the run.
    host
        Name of the machine on which the driver runs; only there can it be seen whether it still lives.
    driver, workers
        Identities of the processes.
    started
        When the run took the lease (UTC).
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    flow_run_id: str
    host: str
    driver: Identity
    started: datetime
    workers: tuple[Identity, ...] = ()

    @property
    def is_stale(self) -> bool:
        """Whether the driver was on this machine and is gone."""
        return self.host == socket.gethostname() and not is_alive(self.driver)


class Lease:
    """Held by the driver while a run is in progress: ``with Lease(store / "leases", flow_run_id) as lease: …``."""

    def __init__(self, leases_dir: Path, flow_run_id: str) -> None:
        self.path = leases_dir / f"{UUID(flow_run_id)}.json"
        self._record = LeaseRecord(
            flow_run_id=flow_run_id, host=socket.gethostname(), driver=own_identity(), started=datetime.now(UTC)
        )

    def __enter__(self) -> Self:
        self.path.parent.mkdir(parents=True, exist_ok=True)
        self._write()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.path.unlink(missing_ok=True)

    def hold(self) -> Self:
        """Take the lease until this process ends.

        Prefect reports the end of a run only after its flow has been left: a driver that is killed in between must
        still be found by its lease. A run that is retried finds the lease of its earlier attempt, which had no time to
        tidy up: what is left of that one is ended first, since the same run must not work twice.
        """
        for path, earlier in read_leases(self.path.parent):
            if path == self.path and earlier is not None and earlier.host == socket.gethostname():
                for process in (earlier.driver, *earlier.workers):
                    if process.pid != self._record.driver.pid:
                        kill_tree(*process)
        atexit.register(self.path.unlink, missing_ok=True)
        return self.__enter__()

    def record_workers(self, pids: Iterable[int]) -> None:
        """Add the workers that the run has now; those recorded earlier stay, since one may still be ending."""
        found = {identity for pid in pids if (identity := identity_of(pid)) is not None}
        workers = tuple(sorted({*self._record.workers, *found}))
        if workers != self._record.workers:
            self._record = self._record.model_copy(update={"workers": workers})
            self._write()

    def _write(self) -> None:
        draft = self.path.with_name(f".{self.path.name}.{os.getpid()}")
        with draft.open("w", encoding="utf-8") as file:
            file.write(json.dumps(self._record.model_dump(mode="json"), indent=1))
            file.flush()
            os.fsync(file.fileno())
        draft.replace(self.path)


def read_leases(leases_dir: Path) -> Iterator[tuple[Path, LeaseRecord | None]]:
    """Every lease in the folder; ``None`` for a file that cannot be read as one."""
    for path in sorted(leases_dir.glob("*.json")):
        try:
            yield path, LeaseRecord.model_validate_json(path.read_bytes())
        except FileNotFoundError:
            continue
        except ValidationError:
            yield path, None


def reap_stale(leases_dir: Path, set_crashed: Callable[[str, str], None]) -> list[str]:
    """Tidy up after the runs of this machine whose driver is gone.

    Their workers that still live are ended, the run is reported as crashed, and the lease is deleted, in this order:
    when one step fails, the lease is still there for the next attempt.

    Parameters
    ----------
    leases_dir
        Folder of the leases; it may be absent.
    set_crashed
        Called with the flow run's id and a message, e.g. `mark_crashed`.

    Returns
    -------
    list of str
        What was done, and which leases were left alone and why; a sentence each.
    """
    done = []
    for path, lease in read_leases(leases_dir):
        if lease is None:
            done.append(f"lease {path.name} cannot be read; delete it when no run is in progress")
        elif lease.host != socket.gethostname():
            done.append(f"run {lease.flow_run_id} is held by {lease.host}; delete {path.name} if that host is gone")
        elif lease.is_stale:
            done.append(_reap(path, lease, set_crashed))
    return done


def mark_crashed(flow_run_id: str, message: str) -> None:
    """Tell the Prefect server that a run, and every task run of it that has not ended, crashed.

    What has ended stays as it is. A run that the server does not know (it was run on a temporary server) needs nothing.
    """
    from prefect.states import Crashed

    _end_run(flow_run_id, Crashed, message)


def mark_cancelled(flow_run_id: str, message: str) -> None:
    """Turn a run that was stopped on purpose into a cancelled one.

    Prefect itself ends a flow that is interrupted as Crashed and leaves its task runs RUNNING. Call this once the flow
    has been left.
    """
    from prefect.states import Cancelled

    _end_run(flow_run_id, Cancelled, message)


def _reap(path: Path, lease: LeaseRecord, set_crashed: Callable[[str, str], None]) -> str:
    ended = [pid for worker in lease.workers for pid in kill_tree(*worker)]
    message = f"the driver (pid {lease.driver.pid} on {lease.host}) ended without a word"
    set_crashed(lease.flow_run_id, message)
    # The same run may have been retried meanwhile, under a new lease.
    if any(found == path and now == lease for found, now in read_leases(path.parent)):
        path.unlink(missing_ok=True)
    workers = f"; ended its processes {ended}" if ended else ""
    return f"run {lease.flow_run_id} is now Crashed: {message}{workers}"


def _end_run(flow_run_id: str, state: Callable[..., State], message: str) -> None:
    from prefect.client.orchestration import get_client
    from prefect.exceptions import ObjectNotFound

    run_id = UUID(flow_run_id)
    with get_client(sync_client=True) as client:
        try:
            current = client.read_flow_run(run_id).state
        except ObjectNotFound:
            return
        for task_run in _unfinished_tasks(client, run_id):
            client.set_task_run_state(task_run.id, state(message=message), force=True)
        # Prefect reports an interrupt as a crash: a cancelled run may have been that for a moment.
        if current is None or not current.is_final() or (current.is_crashed() and state().is_cancelled()):
            client.set_flow_run_state(run_id, state(message=message), force=True)


def _unfinished_tasks(client: SyncPrefectClient, run_id: UUID) -> Iterator[TaskRun]:
    from prefect.client.schemas.filters import FlowRunFilter, FlowRunFilterId

    page = 200
    of_this_run = FlowRunFilter(id=FlowRunFilterId(any_=[run_id]))
    offset = 0
    while found := client.read_task_runs(flow_run_filter=of_this_run, limit=page, offset=offset):
        yield from (run for run in found if run.state is None or not run.state.is_final())
        offset += len(found)
