"""*Cancel* in the dashboard stops the work within seconds, leaves a state that says so, and the run can be resumed."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from distributed import Client

from flows.leases import read_leases
from flows.shared_cluster import StopAbandoned
from storage.ledger import Ledger, ledger_url

if TYPE_CHECKING:
    from tests.flows.conftest import Ended, Night, Workplace

pytestmark = pytest.mark.server

STOPS_WITHIN_S = 30.0
"""Seconds on a machine of one's own; this one may be busy with other tests."""


def until(happened: Callable[[], Any], timeout_s: float = 90.0) -> Any:
    limit = time.monotonic() + timeout_s
    while not (answer := happened()):
        assert time.monotonic() < limit, "the moment never came"
        time.sleep(0.05)
    return answer


def committed(store: Path) -> int:
    return len([path for path in store.glob("artifacts/*/*/_COMMIT.json") if path.parent.name[0] != "."])


def executing(client: Client) -> list[int]:
    """How many tasks each worker of a cluster is at."""
    # A lambda, since the workers cannot import this file.
    return list(client.run(lambda dask_worker: dask_worker.state.executing_count, on_error="ignore").values())


def ledger_states(store: Path) -> list[str]:
    return [run.state for run in Ledger(ledger_url(store)).runs()]


def test_a_run_of_the_command_line_notices_by_itself_and_the_same_command_resumes_it(
    workplace: Workplace, three: Ended
) -> None:
    store, inbox = workplace.new("store"), workplace.inbox(0, 1, 2)
    command = workplace.start_run(store, inbox)
    lease = command.until(lambda: next((lease for _, lease in read_leases(store / "leases")), None))
    command.until(lambda: command.committed >= 3)
    workplace.set_state(lease.flow_run_id, "CANCELLING", "Cancelling", force=True)
    stopped = command.wait(STOPS_WITHIN_S)
    assert stopped.code == 130, stopped.said
    assert command.is_gone
    assert workplace.until_run(lease.flow_run_id, "CANCELLED", timeout_s=10)["state_name"] == "Cancelled"
    assert ledger_states(store) == ["cancelled"]
    assert list(read_leases(store / "leases")) == []

    resumed = workplace.run(store, inbox)
    assert resumed.code == 0, resumed.said
    resumed.assert_same_outputs(three)


def test_a_run_of_a_worker_is_ended_its_tasks_on_the_shared_cluster_too_and_retry_resumes_it(
    workplace: Workplace, night: Night
) -> None:
    store, inbox = workplace.new("store"), workplace.inbox(0, 1)
    run = night.start_study(store, inbox)
    until(lambda: committed(store) >= 3)
    workplace.set_state(run, "CANCELLING", "Cancelling", force=True)
    workplace.until_run(run, "CANCELLED", timeout_s=STOPS_WITHIN_S)
    address = night.deployment("run_study/study")["parameters"]["scheduler"]
    with Client(address) as client:
        until(lambda: not any(executing(client)), STOPS_WITHIN_S)
    there = committed(store)
    assert list(read_leases(store / "leases")) == []
    assert ledger_states(store) == ["cancelled"]
    assert workplace.running() == []

    workplace.set_state(run, "SCHEDULED", "AwaitingRetry")
    ended = workplace.until_run(run, "COMPLETED", "FAILED", "CRASHED")
    assert ended["state_name"] == "Completed", workplace.logs(run)
    assert ledger_states(store) == ["done"]
    assert committed(store) > there


def test_a_task_whose_driver_is_gone_is_stopped_on_the_shared_cluster(night: Night, workplace: Workplace) -> None:
    address = night.deployment("run_study/study")["parameters"]["scheduler"]
    with Client(address) as watcher:
        watcher.register_plugin(StopAbandoned())
        workers = set(watcher.run(os.getpid, on_error="ignore").values())
        driver = Client(address, set_as_default=False)
        futures = driver.map(time.sleep, [300, 300], resources={"CPU": 1}, pure=False)
        until(lambda: all(executing(watcher)))
        began = time.monotonic()
        del futures
        driver.close()
        until(
            lambda: len(now := set(watcher.run(os.getpid, on_error="ignore").values())) == 2 and not now & workers,
            STOPS_WITHIN_S,
        )
        assert time.monotonic() - began < STOPS_WITHIN_S
