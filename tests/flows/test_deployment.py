"""The deployments of ``deployments/prefect.yaml``: a scheduled run starts by itself, on a worker, and finishes."""

from __future__ import annotations

import re
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import yaml

from storage.ledger import Ledger, ledger_url

if TYPE_CHECKING:
    from tests.flows.conftest import Ended, Night, Workplace

pytestmark = pytest.mark.server

TEMPLATE = Path(__file__).parents[2] / "deployments" / "prefect.yaml"
STARTS_WITHIN_S = 75.0


@pytest.fixture
def every_minute(night: Night, workplace: Workplace, three: Ended) -> Iterator[tuple[dict[str, Any], Path]]:
    """The nightly deployment with a schedule that begins a night each minute, until the test ends; and its store."""
    store, inbox = workplace.copy(three), workplace.inbox(0, 1)
    # Without a quiet period: what has just come would wait for the next night, and this one would look at nothing.
    places = ("--data", inbox, "--store", store, "--quiet-seconds", "0")
    night.up(*places, "--cron", "* * * * *", "--timezone", "Europe/Berlin")
    try:
        yield night.deployment("run_nightly/nightly"), store
    finally:
        night.up(*places, "--cron", "30 1 * * *")


def test_a_scheduled_night_starts_within_a_minute_and_finishes_on_a_worker(
    workplace: Workplace, every_minute: tuple[dict[str, Any], Path]
) -> None:
    deployment, store = every_minute
    of_this = {"flow_runs": {"deployment_id": {"any_": [deployment["id"]]}, "start_time": {"is_null_": False}}}
    limit = time.monotonic() + STARTS_WITHIN_S
    while not (runs := workplace.ask("flow_runs", of_this)) and time.monotonic() < limit:
        time.sleep(0.5)
    assert runs, "no scheduled run started"
    run = runs[0]
    assert run["auto_scheduled"]
    assert run["work_pool_name"] == "lesionflow"
    ended = workplace.until_run(run["id"], "COMPLETED", "FAILED", "CRASHED")
    assert ended["state_name"] == "Completed", workplace.logs(run["id"])
    assert (store / "outbox" / "phantoms-night" / "report.html").is_file()
    until_logged(workplace, run["id"], r"\d+ of \d+ pieces of work came from the store")
    states = Counter((line.stage, line.state) for line in Ledger(ledger_url(store)).lines(run["id"]))
    assert (states["detect", "computed"], states["report", "computed"]) == (2, 1)


def until_logged(workplace: Workplace, run: str, pattern: str) -> None:
    """Wait for a line of the log, which the server gets a little late."""
    limit = time.monotonic() + 20
    while not re.search(pattern, workplace.logs(run)):
        assert time.monotonic() < limit, workplace.logs(run)
        time.sleep(0.3)


def test_deployments_name_modules_and_one_run_at_a_time_and_no_place_of_a_machine(night: Night) -> None:
    content = yaml.safe_load(TEMPLATE.read_text())
    assert [one["entrypoint"] for one in content["deployments"]] == [
        "flows.nightly.run_nightly",
        "flows.study.run_study",
    ]
    assert not re.search(r"(?<![\w.}])/(work|root|home|tmp)/", TEMPLATE.read_text())
    for name in ("run_nightly/nightly", "run_study/study"):
        found = night.deployment(name)
        assert (found["global_concurrency_limit"]["limit"], found["work_pool_name"]) == (1, "lesionflow")
        assert found["concurrency_options"]["collision_strategy"] == "ENQUEUE"
        assert re.fullmatch(r"[a-z_.]+", found["entrypoint"])


def test_a_schedule_that_is_none_is_refused(workplace: Workplace) -> None:
    for option, value in (("--cron", "at half past one"), ("--timezone", "Europe/Nowhere")):
        ended = workplace.do("up", option, value)
        assert ended.code == 2, ended.said
        assert value in ended.said
