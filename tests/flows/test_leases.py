"""A lease says who works; a stale one is reaped: workers ended, run marked as crashed, lease gone."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from uuid import uuid4

import httpx
import pytest

from flows.leases import Lease, LeaseRecord, read_leases, reap_stale
from flows.processes import Identity, identity_of, is_alive
from flows.services.server import Server, client_environment, ensure_server

SLEEP = [sys.executable, "-c", "import time; time.sleep(60)"]


@pytest.fixture
def sleeper() -> Iterator[subprocess.Popen[bytes]]:
    process = subprocess.Popen(SLEEP)
    yield process
    process.kill()
    process.wait()


@pytest.fixture
def gone() -> Identity:
    """Identity of a process that has ended."""
    process = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    identity = identity_of(process.pid)
    assert identity is not None
    process.communicate()
    return identity


def write_lease(folder: Path, **changes: object) -> LeaseRecord:
    """A lease of this process, with some things changed."""
    run_id = str(uuid4())
    with Lease(folder, run_id) as lease:
        written = json.loads(lease.path.read_text())
    record = LeaseRecord.model_validate({**written, **changes})
    lease.path.write_text(record.model_dump_json())
    return record


def test_a_lease_exists_while_the_run_lasts_and_not_after(tmp_path: Path) -> None:
    folder = tmp_path / "leases"
    run_id = str(uuid4())
    with Lease(folder, run_id):
        [(path, record)] = read_leases(folder)
        assert path.name == f"{run_id}.json"
        assert record is not None
        assert (record.flow_run_id, record.host, record.driver.pid) == (run_id, socket.gethostname(), os.getpid())
        assert not record.is_stale
    assert list(folder.iterdir()) == []


def test_a_lease_is_given_back_when_the_run_fails(tmp_path: Path) -> None:
    with pytest.raises(ZeroDivisionError), Lease(tmp_path, str(uuid4())):
        raise ZeroDivisionError
    assert list(tmp_path.iterdir()) == []


def test_workers_are_added_to_the_lease_and_never_forgotten(tmp_path: Path, sleeper: subprocess.Popen[bytes]) -> None:
    with Lease(tmp_path, str(uuid4())) as lease:
        lease.record_workers([sleeper.pid])
        lease.record_workers([os.getpid()])
        [(_, record)] = read_leases(tmp_path)
    assert record is not None
    assert set(record.workers) == {identity_of(sleeper.pid), identity_of(os.getpid())}


def test_a_living_run_is_left_alone(tmp_path: Path) -> None:
    write_lease(tmp_path)
    assert reap_stale(tmp_path, lambda *_: pytest.fail("it lives")) == []
    assert len(list(tmp_path.iterdir())) == 1


def test_a_dead_driver_is_reported_with_its_workers_ended_and_its_lease_gone(
    tmp_path: Path, gone: Identity, sleeper: subprocess.Popen[bytes]
) -> None:
    lease = write_lease(tmp_path, driver=gone, workers=[identity_of(sleeper.pid)])
    crashed: list[tuple[str, str]] = []
    [line] = reap_stale(tmp_path, lambda run, why: crashed.append((run, why)))
    assert [run for run, _ in crashed] == [lease.flow_run_id]
    assert line.startswith(f"run {lease.flow_run_id} is now Crashed")
    assert str(sleeper.pid) in line
    assert sleeper.wait(1) != 0
    assert list(tmp_path.iterdir()) == []


def test_a_driver_whose_pid_was_given_to_another_process_is_dead(tmp_path: Path) -> None:
    me = identity_of(os.getpid())
    assert me is not None
    write_lease(tmp_path, driver=me._replace(create_time=me.create_time - 100))
    assert len(reap_stale(tmp_path, lambda *_: None)) == 1


def test_a_process_that_only_has_a_workers_pid_is_not_killed(
    tmp_path: Path, gone: Identity, sleeper: subprocess.Popen[bytes]
) -> None:
    identity = identity_of(sleeper.pid)
    assert identity is not None
    write_lease(tmp_path, driver=gone, workers=[identity._replace(create_time=identity.create_time - 100)])
    reap_stale(tmp_path, lambda *_: None)
    assert is_alive(identity)


def test_the_lease_of_another_host_is_left_and_mentioned(tmp_path: Path, gone: Identity) -> None:
    lease = write_lease(tmp_path, driver=gone, host="elsewhere")
    [line] = reap_stale(tmp_path, lambda *_: pytest.fail("not ours"))
    assert line == f"run {lease.flow_run_id} is held by elsewhere; delete {lease.flow_run_id}.json if that host is gone"
    assert len(list(tmp_path.iterdir())) == 1


def test_an_unreadable_lease_is_left_and_mentioned(tmp_path: Path) -> None:
    (tmp_path / "x.json").write_text("{")
    assert reap_stale(tmp_path, lambda *_: None) == [
        "lease x.json cannot be read; delete it when no run is in progress"
    ]


def test_a_lease_stays_when_the_server_cannot_be_told(tmp_path: Path, gone: Identity) -> None:
    write_lease(tmp_path, driver=gone)

    def refuse(run: str, why: str) -> None:
        raise ConnectionError

    with pytest.raises(ConnectionError):
        reap_stale(tmp_path, refuse)
    assert len(list(tmp_path.iterdir())) == 1


def test_a_run_that_was_taken_up_again_meanwhile_keeps_its_new_lease(tmp_path: Path, gone: Identity) -> None:
    lease = write_lease(tmp_path, driver=gone)
    path = tmp_path / f"{lease.flow_run_id}.json"
    again = lease.model_copy(update={"driver": identity_of(os.getpid())})
    reap_stale(tmp_path, lambda *_: path.write_text(again.model_dump_json()) and None)
    assert path.exists()


def test_a_store_without_leases_has_nothing_to_reap(tmp_path: Path) -> None:
    assert reap_stale(tmp_path / "none", lambda *_: None) == []


DRIVER = """
import sys, time
from pathlib import Path
from prefect import flow, runtime, task
from flows.leases import Lease, mark_cancelled
from flows.processes import interruptible

@task
def quick():
    return 1

@task
def nap():
    print("up", flush=True)
    time.sleep(60)

@flow
def night():
    print(run_id := str(runtime.flow_run.id), flush=True)
    with Lease(Path(sys.argv[1]), run_id):
        quick()
        nap()

with interruptible():
    try:
        night()
    except KeyboardInterrupt:
        mark_cancelled(input(), "stopped by the user")
        print("left", flush=True)
"""
REAP = """
import sys
from pathlib import Path
from flows.leases import mark_crashed, reap_stale
mark_crashed("00000000-0000-4000-8000-000000000000", "no such run: nothing to do")
print(*reap_stale(Path(sys.argv[1]), mark_crashed))
"""
BUSY = ("RUNNING", {"quick": "COMPLETED", "nap": "RUNNING"})


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    with ensure_server(temporary=True) as server:
        yield server


@pytest.fixture
def busy_run(server: Server, tmp_path: Path) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """A driver in the middle of its flow, and the flow run's id."""
    driver = subprocess.Popen(
        [sys.executable, "-c", DRIVER, str(tmp_path)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        env={**os.environ, **client_environment(server)},
    )
    run_id = driver.stdout.readline().strip()
    until = time.monotonic() + 15
    while states_of(server, run_id) != BUSY and time.monotonic() < until:
        time.sleep(0.2)
    yield driver, run_id
    driver.kill()
    driver.communicate()


def states_of(server: Server, run_id: str) -> tuple[str, dict[str, str]]:
    """State type of a flow run, and of its task runs by name."""
    run = httpx.get(f"{server.api_url}/flow_runs/{run_id}").json()
    asked = {"flow_runs": {"id": {"any_": [run_id]}}}
    tasks = httpx.post(f"{server.api_url}/task_runs/filter", json=asked).json()
    return run["state"]["type"], {task["name"].partition("-")[0]: task["state"]["type"] for task in tasks}


@pytest.mark.server
@pytest.mark.slow
def test_a_killed_run_is_marked_as_crashed_with_its_unfinished_tasks(
    server: Server, busy_run: tuple[subprocess.Popen[str], str], tmp_path: Path
) -> None:
    driver, run_id = busy_run
    driver.kill()
    driver.wait()
    assert states_of(server, run_id) == BUSY  # nobody told the server
    env = {**os.environ, **client_environment(server)}
    reaped = subprocess.run(
        [sys.executable, "-c", REAP, str(tmp_path)], env=env, capture_output=True, text=True, timeout=60
    )
    assert reaped.stdout.startswith(f"run {run_id} is now Crashed"), reaped.stderr
    assert states_of(server, run_id) == ("CRASHED", {"quick": "COMPLETED", "nap": "CRASHED"})


@pytest.mark.server
@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_run_that_is_stopped_on_purpose_ends_as_cancelled_with_its_tasks(
    number: signal.Signals, server: Server, busy_run: tuple[subprocess.Popen[str], str], tmp_path: Path
) -> None:
    driver, run_id = busy_run
    driver.send_signal(number)
    output, _ = driver.communicate(run_id, timeout=30)
    assert output.endswith("left\n")
    assert driver.returncode == 0
    assert states_of(server, run_id) == ("CANCELLED", {"quick": "COMPLETED", "nap": "CRASHED"})
    assert list(tmp_path.iterdir()) == []
