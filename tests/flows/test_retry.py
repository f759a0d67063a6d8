"""A stage that failed is re-run alone: by ``prefect flow-run retry`` and by the dashboard's button, called or clicked.

The same command again is the fourth way; `test_faults` and `test_rerun` look at it.
"""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import httpx
import psutil
import pytest
from websockets.sync.client import ClientConnection, connect

from flows.leases import read_leases
from storage.artifacts import ArtifactStore
from storage.ledger import Ledger, ledger_url

if TYPE_CHECKING:
    from tests.flows.conftest import Ended, Night, Workplace

pytestmark = pytest.mark.server

PREFECT_TIDIES_UP_S = 20.0
REUSED = re.compile(r"(\d+) of (\d+) pieces of work came from the store; (\d+) were computed, (\d+) failed")


def books(store: Path, run: str) -> Counter[tuple[str, str]]:
    """How often each stage ended in which way, according to the ledger."""
    return Counter((line.stage, line.state) for line in Ledger(ledger_url(store)).lines(run))


def computed(store: Path, run: str) -> dict[str, int]:
    """How often each stage was computed by the last attempt of a run."""
    return {stage: count for (stage, state), count in books(store, run).items() if state == "computed"}


def reused(workplace: Workplace, run: str, attempts: int) -> list[tuple[int, ...]]:
    """What the log says of each attempt: pieces from the store, of all; computed, failed. Logs arrive a little late."""
    limit = time.monotonic() + 20
    while len(found := REUSED.findall(workplace.logs(run))) < attempts and time.monotonic() < limit:
        time.sleep(0.3)
    return sorted(tuple(map(int, numbers)) for numbers in found)


def ledger_state(store: Path, run: str) -> str:
    return next(one.state for one in Ledger(ledger_url(store)).runs() if one.id == run)


def test_a_stage_that_raised_is_re_run_alone_by_flow_run_retry(
    workplace: Workplace, night: Night, three: Ended
) -> None:
    store = workplace.copy(three)
    artifacts, key_of = ArtifactStore(store), {(line.stage, line.subject): line.key for line in three.lines}
    case = next(subject for stage, subject in sorted(key_of) if stage == "extract")
    image = artifacts.open("normalize", key_of["normalize", case])
    whole = shutil.copytree(image, workplace.new("whole"))
    for chunk in (image / "image.zarr" / "0" / "c").rglob("*"):
        if chunk.is_file():
            chunk.write_bytes(b"\0" * chunk.stat().st_size)
    artifacts.remove(artifacts.open("extract", key_of["extract", case]))

    inbox = workplace.inbox(0, 1, 2)
    run = night.start_study(store, inbox)
    workplace.until_run(run, "COMPLETED")
    assert workplace.task_runs(run)[f"extract {case}"] == "Failed"
    assert books(store, run)["extract", "failed"] == 1

    shutil.rmtree(image)
    shutil.copytree(whole, image)
    retry = [sys.executable, "-m", "prefect", "flow-run", "retry", run]
    said = subprocess.run(
        retry, env=workplace.env | {"PREFECT_API_URL": workplace.api_url}, capture_output=True, text=True, timeout=90
    )
    assert "scheduled for retry" in said.stdout, said.stderr
    until_retried(workplace, run, attempts=2)
    assert computed(store, run) == {"extract": 1}
    assert ledger_state(store, run) == "done"
    cached, pieces, again, failed = reused(workplace, run, attempts=2)[-1]
    assert (pieces - cached, again, failed) == (1, 1, 0)
    assert "Cached" in workplace.task_runs(run).values()


def test_a_driver_that_was_killed_is_resumed_by_the_call_of_the_dashboards_retry_button(
    workplace: Workplace, night: Night
) -> None:
    store, inbox = workplace.new("store"), workplace.inbox(0)
    run = night.start_study(store, inbox)
    leases, committed = store / "leases", lambda: list(store.glob("artifacts/*/*/_COMMIT.json"))
    until(lambda: len(committed()) >= 2)
    [(_, lease)] = read_leases(leases)
    psutil.Process(lease.driver.pid).kill()
    workplace.until_run(run, "CRASHED")
    assert [path.stem for path, _ in read_leases(leases)] == [run]
    there = len(committed())

    # Prefect's worker reports a crash at once, and once more when it has tidied up: then it would hit the retry.
    time.sleep(PREFECT_TIDIES_UP_S)
    workplace.set_state(run, "SCHEDULED", "AwaitingRetry")  # what FlowRunRetryModal of the dashboard posts
    until_retried(workplace, run, attempts=2)
    assert ledger_state(store, run) == "done"
    until(lambda: list(read_leases(leases)) == [])  # given back when its process ends
    [(cached, pieces, again, failed)] = reused(workplace, run, attempts=1)
    assert cached >= there
    assert (failed, again) == (0, pieces - cached)


def test_a_case_with_bad_input_since_repaired_is_re_run_by_a_click_in_the_dashboard(
    workplace: Workplace, night: Night, page: Page
) -> None:
    store, inbox = workplace.new("store"), workplace.inbox(0, 1)
    cut = workplace.slices(inbox, 0)[9]
    whole = cut.read_bytes()
    cut.write_bytes(whole[:5000])
    run = night.start_study(store, inbox)
    workplace.until_run(run, "COMPLETED")
    assert books(store, run)["ingest", "excluded"] == 1

    cut.write_bytes(whole)
    page.open(f"{workplace.api_url.removesuffix('/api')}/runs/flow-run/{run}")
    page.click(".page-heading-flow-run button", text="Retry")
    page.click(".p-modal__footer button", text="Retry")
    until_retried(workplace, run, attempts=2)
    assert all(
        books(store, run)[stage, state] == 1 for stage in ("ingest", "extract") for state in ("computed", "cached")
    )
    assert books(store, run)["ingest", "excluded"] == 0
    assert any(message.endswith("Retry from the UI") for message in messages(workplace, run))


def until(happened: Any, timeout_s: float = 90.0) -> None:
    limit = time.monotonic() + timeout_s
    while not happened():
        assert time.monotonic() < limit, "the moment never came"
        time.sleep(0.05)


def until_retried(workplace: Workplace, run: str, attempts: int) -> None:
    """Wait until an attempt of a run has come to a good end."""
    until(lambda: workplace.flow_run(run)["run_count"] >= attempts)
    ended = workplace.until_run(run, "COMPLETED", "FAILED", "CRASHED")
    assert ended["state_name"] == "Completed", workplace.logs(run)


def messages(workplace: Workplace, run: str) -> list[str]:
    """What the states that a run went through have to say."""
    states = httpx.get(f"{workplace.api_url}/flow_run_states/", params={"flow_run_id": run}, trust_env=False).json()
    return [state["message"] or "" for state in states]


class Page:
    """A page in a headless Chromium, driven over the DevTools protocol."""

    def __init__(self, devtools: ClientConnection) -> None:
        self.devtools, self.sent = devtools, 0

    def ask(self, method: str, **parameters: Any) -> Any:
        """Send a command and wait for its answer."""
        self.sent += 1
        self.devtools.send(json.dumps({"id": self.sent, "method": method, "params": parameters}))
        while (answer := json.loads(self.devtools.recv(timeout=30))).get("id") != self.sent:
            continue
        return answer["result"]

    def open(self, url: str) -> None:
        """Go to a page."""
        self.ask("Page.navigate", url=url)

    def click(self, selector: str, text: str = "") -> None:
        """Click with the mouse on the first visible element of this kind, once it is there."""
        code = f"""(() => {{
            const found = [...document.querySelectorAll({json.dumps(selector)})]
                .find(e => e.checkVisibility() && (!{json.dumps(text)} || e.textContent.trim() === {json.dumps(text)}));
            if (!found) return null;
            const box = found.getBoundingClientRect();
            return [box.x + box.width / 2, box.y + box.height / 2];
        }})()"""
        limit, before = time.monotonic() + 45, None
        # Where it stays: a menu that is opening still moves.
        while (
            place := self.ask("Runtime.evaluate", expression=code, returnByValue=True)["result"].get("value")
        ) is None or (place != before):
            assert time.monotonic() < limit, f"nothing to click: {selector} {text}"
            before = place
            time.sleep(0.3)
        for kind in ("mouseMoved", "mousePressed", "mouseReleased"):
            self.ask("Input.dispatchMouseEvent", type=kind, x=place[0], y=place[1], button="left", clickCount=1)


@pytest.fixture
def page(tmp_path: Path) -> Iterator[Page]:
    """An empty page; skips where there is no Chromium."""
    chromium = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
    if chromium is None:
        pytest.skip("no Chromium on this machine")
    options = ("--headless", "--no-sandbox", "--disable-gpu", "--disable-background-networking", "--no-first-run")
    command = [
        chromium,
        *options,
        "--window-size=1400,1000",
        "--remote-debugging-port=0",
        f"--user-data-dir={tmp_path}",
    ]
    with subprocess.Popen([*command, "about:blank"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as browser:
        try:
            port_file = tmp_path / "DevToolsActivePort"
            until(lambda: port_file.exists() and port_file.read_text().count("\n"), 30)
            port = port_file.read_text().split()[0]
            tabs = httpx.get(f"http://127.0.0.1:{port}/json/list", trust_env=False, timeout=30).json()
            url = next(tab["webSocketDebuggerUrl"] for tab in tabs if tab["type"] == "page")
            with connect(url, max_size=None, open_timeout=30) as devtools:
                yield Page(devtools)
        finally:
            browser.terminate()
