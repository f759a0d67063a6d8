"""`up` brings everything that nights need, a second one changes nothing, and `down` leaves nothing."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import psutil
import pytest

from flows.services.background import ServiceRecord, choose_port
from flows.services.deploying import Plan, filled_in

if TYPE_CHECKING:
    from tests.flows.conftest import Workplace

SERVICES = ("prefect-server", "dashboard", "report-server", "dask-cluster", "worker")


class Machine:
    """A machine on which nothing runs yet: a state folder and a server's port of its own."""

    def __init__(self, place: Workplace) -> None:
        self.place, self.state = place, place.new("state")
        self.env = {
            "LESIONFLOW_STATE_DIR": str(self.state),
            "PREFECT_API_URL": f"http://127.0.0.1:{choose_port(0)}/api",
        }

    def do(self, *arguments: str | Path) -> str:
        """Do a command; what it says."""
        ended = self.place.do(*arguments, env=self.env)
        assert ended.code == 0, ended.said
        return ended.said

    def record(self, name: str) -> ServiceRecord:
        return ServiceRecord.model_validate_json((self.state / f"{name}.json").read_bytes())

    @property
    def processes(self) -> dict[int, str]:
        """Everything that runs on it, by pid."""
        found = {}
        for process in psutil.process_iter():
            try:
                if process.environ().get("LESIONFLOW_STATE_DIR") == str(self.state):
                    found[process.pid] = " ".join(process.cmdline())
            except psutil.Error:
                continue
        return found


@pytest.fixture
def machine(workplace: Workplace) -> Iterator[Machine]:
    machine = Machine(workplace)
    try:
        yield machine
    finally:
        machine.do("down")


def until(happened: Callable[[], Any], timeout_s: float = 60.0) -> None:
    limit = time.monotonic() + timeout_s
    while not happened():
        assert time.monotonic() < limit, "the moment never came"
        time.sleep(0.3)


@pytest.mark.server
def test_up_brings_all_services_once_they_come_back_when_killed_and_down_leaves_no_process(machine: Machine) -> None:
    first = machine.do("up", "--workers", "1")
    assert first.count("started") == 6
    assert "no night is scheduled" in first
    assert machine.env["PREFECT_API_URL"] in first

    before = machine.processes
    again = machine.do("up")
    assert "nothing was changed" in again
    assert machine.processes == before
    said = machine.do("status")
    assert [name for name in SERVICES if name not in said] == []
    assert said.count("answers") == len(SERVICES), said

    listening = [c.laddr.ip for pid in before for c in psutil.Process(pid).net_connections() if c.status == "LISTEN"]
    assert len(listening) >= 5
    assert set(listening) == {"127.0.0.1"}

    worker = machine.record("worker").process.pid
    [child] = psutil.Process(worker).children()
    child.kill()
    until(lambda: psutil.Process(worker).children() not in ([], [child]))
    psutil.Process(machine.record("dask-cluster").process.pid).kill()  # the supervisor itself
    mended = machine.do("up")
    lines = {words[0]: words for line in mended.splitlines() if (words := line.split())}
    moved = f"{lines['dask-cluster'][-1]}," not in said  # its port may still be held by what was killed
    changed = ["dask-cluster", "deployments"] if moved else ["dask-cluster"]
    assert [name for name, words in lines.items() if "started" in words] == changed

    ended = machine.do("down")
    assert ended.count(" ended (pid ") == 4
    assert machine.processes == {}
    # The report server of somebody else may be at the usual port, and would be used.
    assert machine.do("status").count("does not run") >= len(SERVICES) - 1


def test_a_plan_without_an_inbox_schedules_nothing_and_leaves_out_what_nobody_gave() -> None:
    nightly, study = filled_in(Plan(), set())["deployments"]
    assert (nightly["parameters"], study["parameters"]) == ({"quiet_seconds": 300}, {})
    [schedule] = nightly["schedules"]
    assert (schedule["cron"], schedule["timezone"], schedule["active"]) == ("30 1 * * *", "Europe/Berlin", False)


def test_a_plan_fills_in_its_places_and_its_schedule() -> None:
    plan = Plan(data="in", store="out", cron="5 2 * * *", timezone="America/Montevideo", quiet_seconds=60)
    nightly, _ = filled_in(plan, {"LESIONFLOW_DATA", "LESIONFLOW_STORE"})["deployments"]
    assert set(nightly["parameters"]) == {"data", "store", "quiet_seconds"}
    assert nightly["parameters"]["quiet_seconds"] == 60
    [schedule] = nightly["schedules"]
    assert (schedule["cron"], schedule["timezone"], schedule["active"]) == ("5 2 * * *", "America/Montevideo", True)
