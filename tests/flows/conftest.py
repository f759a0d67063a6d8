"""A workplace for tests that run studies as a user does: commands in processes of their own, on phantoms.

The tests of a file share one Prefect server, and the undisturbed runs that others are compared with. Each worker of
pytest-xdist has a server of its own: ``pytest -m server -n 2 --dist loadfile``.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import psutil
import pytest

from storage.ledger import Ledger, Line, ledger_url
from tasks.phantom.cohort import PhantomPatient, write_cohort

LESIONFLOW = str(Path(sys.executable).with_name("lesionflow"))
KEY = "a secret that only the tests know"
MARK = "LESIONFLOW_TEST_COMMAND"
TIMEOUT_S = 420.0

STUDY = """\
name = "phantoms"

[ingest.images.ct]
modality = "CT"

[ingest.annotation]
image = "ct"
roi = ["Nodule*"]

[split]
folds = 3
# Phantoms of one generator are alike: other patients correlate 0.99 at most, a copy 1.
duplicates = {correlation = 0.995}

[normalize]
spacing_mm = [5.0, 2.5, 2.5]

[sample]
max_candidates = 40

[extract]
families = ["first_order"]

[train]
models = ["logistic"]
inner_folds = 2
false_positive_ml = 0.1

[evaluate]
false_positive_ml = 0.1
"""

START_SERVER = """
from flows.services import server
server.PREFECT_PORT = server.choose_port(0)  # never the server of whoever runs the tests
server.ensure_report_server()
print(server.ensure_server().api_url)
"""


@dataclass
class Ended:
    """A command that has ended: its exit code, all that it said, and the run summary if it wrote one."""

    code: int
    said: str
    store: Path | None = None
    summary: dict[str, Any] = field(default_factory=dict)

    def stage(self, name: str) -> tuple[int, int, int]:
        """How often a stage was computed, found in the store, and failed."""
        counts = self.summary["stages"][name]
        return counts["computed"], counts["cached"], counts["failed"]

    @property
    def computed(self) -> dict[str, int]:
        """How often each stage was computed, without those that were not."""
        return {name: count["computed"] for name, count in self.summary["stages"].items() if count["computed"]}

    @property
    def lines(self) -> list[Line]:
        """The ledger's lines about this run."""
        assert self.store is not None
        return Ledger(ledger_url(self.store)).lines(self.summary["run"])

    @property
    def keys(self) -> set[tuple[str, str, str]]:
        """Stage, subject and key of all that it stands on or has made."""
        return {(line.stage, line.subject, line.key) for line in self.lines}

    @property
    def outputs(self) -> dict[str, bytes]:
        """All that it stands on or has made: the bytes of every file by its name; of a model, what it predicts."""
        assert self.store is not None
        found: dict[str, bytes] = {}
        for line in self.lines:
            folder = self.store / "artifacts" / line.stage / line.key
            for path in folder.rglob("*"):
                if path.is_file() and path.name != "_COMMIT.json":
                    name = f"{line.stage} {line.subject} {path.relative_to(folder)}"
                    found[name] = _predictions(path) if path.suffix == ".skops" else path.read_bytes()
        for path in (self.store / "outbox").rglob("*.*"):
            found[f"outbox {path.name}"] = path.read_bytes()
        return found

    def assert_same_outputs(self, expected: Ended) -> None:
        """Both runs have the same cases, keys, arrays, tables and pages, and models that predict the same."""
        assert self.keys == expected.keys
        ours, theirs = self.outputs, expected.outputs
        assert len(theirs) > 20
        assert ours.keys() == theirs.keys()
        assert [name for name in theirs if ours[name] != theirs[name]] == []
        for name in ("received", "analysed", "excluded", "findings", "metrics", "baselines", "notes"):
            assert self.summary[name] == expected.summary[name]


@dataclass
class Command:
    """A command that runs in a session of its own, as in a terminal."""

    process: subprocess.Popen[bytes]
    output: Path
    mark: str
    store: Path | None = None
    json_file: Path | None = None

    @property
    def family(self) -> list[psutil.Process]:
        """Every process that it started and that still runs, whoever is its parent now; servers that stay left out."""
        return [process for process in psutil.process_iter() if _environment(process).get(MARK) == self.mark]

    @property
    def is_gone(self) -> bool:
        """Whether, now or soon, nothing is left of a command that has ended."""
        limit = time.monotonic() + 15
        while self.family and time.monotonic() < limit:
            time.sleep(0.2)
        return self.family == []

    @property
    def committed(self) -> int:
        """How many artifacts are in its store."""
        assert self.store is not None
        return len([path for path in self.store.glob("artifacts/*/*/_COMMIT.json") if path.parent.name[0] != "."])

    @property
    def said(self) -> str:
        """What it has said so far."""
        return self.output.read_text(errors="replace")

    def wait(self, timeout_s: float = TIMEOUT_S) -> Ended:
        """Wait for its end."""
        try:
            code = self.process.wait(timeout_s)
        except subprocess.TimeoutExpired:
            self.end()
            pytest.fail(f"the command did not end within {timeout_s:g} s; it said:\n{self.said}")
        wrote = self.json_file is not None and self.json_file.is_file()
        summary = json.loads(self.json_file.read_text()) if wrote and self.json_file else {}
        return Ended(code, self.said, self.store, summary)

    def until(self, happened: Callable[[], Any], timeout_s: float = TIMEOUT_S) -> Any:
        """Wait until something has happened while the command runs; fails when it ends before."""
        limit = time.monotonic() + timeout_s
        while not (answer := happened()):
            if self.process.poll() is not None or time.monotonic() > limit:
                self.end()
                pytest.fail(f"the moment never came; it said:\n{self.said}")
            time.sleep(0.02)
        return answer

    def interrupt(self) -> None:
        """Ctrl-C: the terminal sends SIGINT to every process of the group."""
        os.killpg(self.process.pid, signal.SIGINT)

    def end(self) -> None:
        """End it with everything that it started."""
        for process in self.family:
            process.kill()
        self.process.wait(30)


class Workplace:
    """A folder, an environment and a Prefect server of the tests' own."""

    def __init__(self, folder: Path, patients: list[PhantomPatient]) -> None:
        self.folder, self.patients = folder, patients
        self.state = folder / "state"
        self.env = {
            name: value for name, value in os.environ.items() if not name.startswith(("PREFECT_", "LESIONFLOW"))
        }
        self.env |= {
            "LESIONFLOW_STATE_DIR": str(self.state),
            "LESIONFLOW_PSEUDONYM_KEY": KEY,
            "DASK_TEMPORARY_DIRECTORY": str(folder / "dask"),
            "OMP_NUM_THREADS": "1",
            "COLUMNS": "400",
        }
        started = subprocess.run(
            [sys.executable, "-c", START_SERVER], env=self.env, capture_output=True, text=True, timeout=TIMEOUT_S
        )
        assert started.returncode == 0, started.stderr
        self.api_url = started.stdout.split()[-1]
        self.commands: list[Command] = []

    # What runs need

    def study(self, *changes: tuple[str, str]) -> Path:
        """A study file, with parts of its text replaced."""
        text = STUDY
        for old, new in changes:
            assert old in text
            text = text.replace(old, new)
        return self.file("study.toml", text)

    def file(self, name: str, text: str) -> Path:
        """A small file in a folder of its own."""
        path = self.new(name)
        path.write_text(text)
        return path

    def new(self, name: str) -> Path:
        """A path of this name where nothing is yet."""
        folder = self.folder / uuid.uuid4().hex[:8]
        folder.mkdir()
        return folder / name

    def inbox(self, *numbers: int) -> Path:
        """A folder with the files of some of the patients, which may be changed."""
        inbox = self.new("inbox")
        for number in numbers:
            home = self.patients[number].folder
            shutil.copytree(home, inbox / home.name)
        return inbox

    def slices(self, inbox: Path, number: int) -> list[Path]:
        """Files of a patient's CT in an inbox, from feet to head."""
        patient = self.patients[number]
        return [inbox / path.relative_to(patient.folder.parent) for path in patient.slice_files]

    def copy(self, run: Ended) -> Path:
        """A copy of the store that a run has left, to go on with."""
        assert run.store is not None
        return Path(shutil.copytree(run.store, self.new("copy")))

    # Commands

    def start(self, *arguments: str | Path, env: dict[str, str] | None = None) -> Command:
        """Start ``lesionflow …``."""
        output, mark = self.new("output.txt"), uuid.uuid4().hex
        with output.open("wb") as file:
            process = subprocess.Popen(
                [LESIONFLOW, *map(str, arguments)],
                env={**self.env, **(env or {}), MARK: mark},
                stdin=subprocess.DEVNULL,
                stdout=file,
                stderr=file,
                start_new_session=True,
                cwd=self.folder,
            )
        self.commands.append(Command(process, output, mark))
        return self.commands[-1]

    def start_run(
        self, store: Path, inbox: Path, study: Path | None = None, *more: str, env: dict[str, str] | None = None
    ) -> Command:
        """Start ``lesionflow run``, with one worker where nothing else is said: two such tests run at the same time."""
        json_file = self.new("summary.json")
        places = ("--data", inbox, "--store", store, "--json", json_file)
        workers = () if {"--workers", "--scheduler"} & set(more) else ("--workers", "1")
        command = self.start("run", study or self.study(), *places, *workers, *more, env=env)
        command.store, command.json_file = store, json_file
        return command

    def do(self, *arguments: str | Path, env: dict[str, str] | None = None) -> Ended:
        """Do ``lesionflow …`` and wait for its end."""
        return self.start(*arguments, env=env).wait()

    def run(
        self, store: Path, inbox: Path, study: Path | None = None, *more: str, env: dict[str, str] | None = None
    ) -> Ended:
        """Do ``lesionflow run`` and wait for its end."""
        return self.start_run(store, inbox, study, *more, env=env).wait()

    # What the server knows

    def ask(self, what: str, query: dict[str, Any]) -> Any:
        """Ask the Prefect server for objects of a kind."""
        return self.call("POST", f"{what}/filter", query)

    def call(self, method: str, path: str, body: dict[str, Any] | None = None) -> Any:
        """Call the Prefect server; again where it says 503, as it does while another writes into its SQLite file."""
        for _ in range(20):
            answer = httpx.request(method, f"{self.api_url}/{path}", json=body, timeout=30, trust_env=False)
            if answer.status_code != httpx.codes.SERVICE_UNAVAILABLE:
                break
            time.sleep(0.5)
        assert answer.is_success, answer.text
        return answer.json()

    def flow_run(self, run: str) -> dict[str, Any]:
        """A flow run as the server sees it."""
        [found] = self.ask("flow_runs", {"flow_runs": {"id": {"any_": [run]}}})
        return found

    def task_runs(self, run: str, *, count: int = 1) -> dict[str, str]:
        """Name of the state of each task run, by the name of the task run, once there are so many.

        Clients report them a little late, and a busy server takes its time.
        """
        limit = time.monotonic() + 120
        while True:
            found = self.ask("task_runs", {"flow_runs": {"id": {"any_": [run]}}, "limit": 200})
            states = {one["name"]: (one["state"] or {}).get("name", "none") for one in found}
            ended = [one for one in found if one["state"] and one["state"]["type"] not in ("PENDING", "RUNNING")]
            if len(ended) == len(found) >= count:
                return states
            if time.monotonic() > limit:
                return states
            time.sleep(0.2)

    def running(self) -> list[str]:
        """Names of flow runs that the server believes to be in progress."""
        states = ["PENDING", "RUNNING", "CANCELLING"]
        return [run["id"] for run in self.ask("flow_runs", {"flow_runs": {"state": {"type": {"any_": states}}}})]

    def logs(self, run: str) -> str:
        """What a flow run has logged, as its page in the dashboard shows it."""
        return "\n".join(one["message"] for one in self.ask("logs", {"logs": {"flow_run_id": {"any_": [run]}}}))

    def until_run(self, run: str, *types: str, timeout_s: float = TIMEOUT_S) -> dict[str, Any]:
        """Wait until a flow run is in a state of one of the types."""
        limit = time.monotonic() + timeout_s
        while (found := self.flow_run(run))["state_type"] not in types:
            if time.monotonic() > limit:
                pytest.fail(f"the run is {found['state_name']} and not {types}; it said:\n{self.logs(run)}")
            time.sleep(0.1)
        return found

    def set_state(self, run: str, kind: str, name: str, *, force: bool = False) -> None:
        """Do what a button of the dashboard does: propose a state for a flow run."""
        body = {"state": {"type": kind, "name": name, "message": f"{name} from the UI"}, "force": force}
        answer = self.call("POST", f"flow_runs/{run}/set_state", body)
        assert answer["status"] == "ACCEPT", answer

    def close(self) -> None:
        """End every process that was started here."""
        for command in self.commands:
            if command.process.poll() is None:
                command.end()
        subprocess.run([LESIONFLOW, "down"], env=self.env, timeout=TIMEOUT_S, check=True, capture_output=True)
        left = [p for p in psutil.process_iter() if _environment(p).get("LESIONFLOW_STATE_DIR") == str(self.state)]
        for process in left:
            process.kill()
        assert not left, f"processes were left behind: {left}"


@pytest.fixture(scope="session")
def workplace(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Workplace]:
    """The tests' own server, phantoms and commands; everything ends with the session."""
    folder = tmp_path_factory.mktemp("workplace")
    place = Workplace(folder, write_cohort(folder / "cohort", patients=4, size="small"))
    try:
        yield place
    finally:
        place.close()


@dataclass
class Night:
    """What `lesionflow up` has brought: a Dask cluster with two workers, deployments, and a worker."""

    place: Workplace

    def up(self, *arguments: str | Path) -> Ended:
        """Do `lesionflow up`."""
        ended = self.place.do("up", *arguments)
        assert ended.code == 0, ended.said
        return ended

    def deployment(self, name: str) -> dict[str, Any]:
        """A deployment as the server has it."""
        return dict(self.place.call("GET", f"deployments/name/{name}"))

    def start_study(self, store: Path, inbox: Path, study: Path | None = None) -> str:
        """Start ``run_study/study`` as *Quick run* of the dashboard does; the id of the flow run."""
        deployment = self.deployment("run_study/study")
        places = {"study": study or self.place.study(), "data": inbox, "store": store}
        parameters = deployment["parameters"] | {name: str(path) for name, path in places.items()}
        created = self.place.call("POST", f"deployments/{deployment['id']}/create_flow_run", {"parameters": parameters})
        return str(created["id"])


@pytest.fixture(scope="session")
def night(workplace: Workplace) -> Night:
    """The services of a night, without a schedule. They end with the workplace."""
    night = Night(workplace)
    night.up("--workers", "2")
    return night


@pytest.fixture(scope="session")
def three(workplace: Workplace) -> Ended:
    """An undisturbed run over three patients, from scratch. Take a copy of its store to go on with."""
    return workplace.run(workplace.new("three"), workplace.inbox(0, 1, 2))


@pytest.fixture(scope="session")
def four(workplace: Workplace) -> Ended:
    """An undisturbed run over four patients, from scratch."""
    return workplace.run(workplace.new("four"), workplace.inbox(0, 1, 2, 3))


@pytest.fixture(scope="session")
def inbox_of_one(workplace: Workplace) -> Path:
    """One patient, too few to train on: the fastest run there is. Not to be changed."""
    return workplace.inbox(0)


@pytest.fixture(scope="session")
def damaged(workplace: Workplace) -> Ended:
    """A run from scratch over four patients: of the third a slice is cut short, and beside them lies a broken file."""
    inbox = workplace.inbox(0, 1, 2, 3)
    cut = workplace.slices(inbox, 2)[16]
    cut.write_bytes(cut.read_bytes()[:5000])
    (inbox / "KAREN.dcm").write_bytes(b"no image at all")
    return workplace.run(workplace.new("damaged"), inbox)


def _predictions(path: Path) -> bytes:
    """What a model predicts of fixed inputs (a zip file holds the time at which it was written)."""
    from storage.classical import load_model

    pipeline = load_model(path)
    features = np.random.default_rng(0).normal(size=(50, pipeline.n_features_in_)) * 100
    return bytes(pipeline.predict_proba(features).tobytes())


def _environment(process: psutil.Process) -> dict[str, str]:
    try:
        return process.environ()
    except psutil.Error:
        return {}
