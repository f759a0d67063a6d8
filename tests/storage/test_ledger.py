"""The ledger: what each run saw of each case, what work costs, and how it comes back from the commit markers."""

from __future__ import annotations

from pathlib import Path

from storage.artifacts import ArtifactStore
from storage.ledger import Ended, Ledger, Line, ledger_url, rebuild


def book(ledger: Ledger, run: str, subject: str, state: str, seconds: float = 1.0, stage: str = "sample") -> None:
    reason = "no lung" if state == "excluded" else None
    ledger.record(run, Ended(stage, subject, state, f"k-{subject}", reason, seconds))


def commit(store: ArtifactStore, stage: str, key: str, subject: str, verdict: str | None = None) -> None:
    marks = {"inputs": {}, "settings": {}, "source": "s", "versions": {}}
    with store.write(stage=stage, key=key, subject=subject, verdict=verdict, **marks) as folder:
        (folder / "file.txt").write_text(key)


def open_ledger(folder: Path) -> Ledger:
    return Ledger(ledger_url(folder))


def test_lines_come_back_as_they_were_noted(tmp_path: Path) -> None:
    ledger = open_ledger(tmp_path)
    ledger.begin("r1", "pet")
    book(ledger, "r1", "C-2", "excluded", 0.25)
    book(ledger, "r1", "C-1", "computed", 2.5)
    assert ledger.lines("r1") == [
        Line("r1", "pet", "sample", "C-1", "computed", "k-C-1", None, 2.5),
        Line("r1", "pet", "sample", "C-2", "excluded", "k-C-2", "no lung", 0.25),
    ]


def test_lines_of_all_runs_are_ordered_by_run_stage_and_subject(tmp_path: Path) -> None:
    ledger = open_ledger(tmp_path)
    for run in ("z-first", "a-second"):
        ledger.begin(run, "pet")
        for stage, subject in (("sample", "C-1"), ("ingest", "C-2"), ("ingest", "C-1")):
            book(ledger, run, subject, "computed", stage=stage)
    places = [("ingest", "C-1"), ("ingest", "C-2"), ("sample", "C-1")]
    assert [(line.run, line.stage, line.subject) for line in ledger.lines()] == [
        (run, *place) for run in ("z-first", "a-second") for place in places
    ]


def test_work_that_is_noted_again_replaces_what_was_noted_before(tmp_path: Path) -> None:
    ledger = open_ledger(tmp_path)
    ledger.begin("r1", "pet")
    book(ledger, "r1", "C-1", "failed")
    book(ledger, "r1", "C-1", "computed")
    assert [line.state for line in ledger.lines("r1")] == ["computed"]


def test_a_run_goes_from_running_to_how_it_ended(tmp_path: Path) -> None:
    ledger = open_ledger(tmp_path)
    ledger.begin("r1", "pet")
    (running,) = ledger.runs()
    assert (running.state, running.ended, running.summary) == ("running", None, None)
    ledger.finish("r1", "done", {"received": 3})
    (done,) = ledger.runs()
    assert (done.state, done.summary) == ("done", '{"received": 3}')
    assert done.ended is not None
    assert done.ended >= done.started


def test_a_run_that_begins_again_is_running_again(tmp_path: Path) -> None:
    ledger = open_ledger(tmp_path)
    ledger.begin("r1", "pet")
    ledger.finish("r1", "failed", {"received": 3})
    ledger.begin("r1", "pet")
    (run,) = ledger.runs()
    assert (run.state, run.ended, run.summary) == ("running", None, None)


def test_runs_are_listed_newest_first_and_by_study(tmp_path: Path) -> None:
    ledger = open_ledger(tmp_path)
    for run, study in (("r1", "pet"), ("r2", "ct"), ("r3", "pet")):
        ledger.begin(run, study)
    assert [run.id for run in ledger.runs()] == ["r3", "r2", "r1"]
    assert [run.id for run in ledger.runs("pet")] == ["r3", "r1"]
    assert ledger.runs("mr") == []


def test_the_mean_cost_counts_computed_work_alone(tmp_path: Path) -> None:
    ledger = open_ledger(tmp_path)
    ledger.begin("r1", "pet")
    ledger.begin("r2", "pet")
    book(ledger, "r1", "C-1", "computed", 2.0)
    book(ledger, "r2", "C-1", "computed", 4.0)
    book(ledger, "r1", "C-2", "cached", 100.0)
    book(ledger, "r1", "C-3", "failed", 100.0)
    book(ledger, "r1", "C-4", "excluded", 100.0)
    book(ledger, "r1", "C-5", "computed", 8.0, stage="ingest")
    book(ledger, "r1", "C-5", "cached", 8.0, stage="extract")
    assert ledger.mean_seconds() == {"sample": 3.0, "ingest": 8.0}


def test_a_second_opening_sees_what_the_first_wrote(tmp_path: Path) -> None:
    first = open_ledger(tmp_path)
    first.begin("r1", "pet")
    book(first, "r1", "C-1", "computed")
    assert open_ledger(tmp_path).lines() == first.lines()


def test_ending_an_unknown_run_changes_nothing(tmp_path: Path) -> None:
    ledger = open_ledger(tmp_path)
    ledger.finish("r1", "crashed")
    assert ledger.runs() == []


def test_a_ledger_is_rebuilt_from_the_commit_markers(tmp_path: Path) -> None:
    store = ArtifactStore(tmp_path)
    commit(store, "ingest", "a" * 64, "C-1")
    commit(store, "ingest", "b" * 64, "C-2", verdict="two slices are missing")
    commit(store, "split", "c" * 64, "cohort")
    ledger = open_ledger(tmp_path)
    assert rebuild(ledger, store.artifacts()) == 3
    costs = {artifact.commit.key: artifact.commit.seconds for artifact in store.artifacts()}
    assert ledger.lines("rebuilt") == [
        Line("rebuilt", "all", "ingest", "C-1 aaaaaaaaaaaa", "computed", "a" * 64, None, costs["a" * 64]),
        Line("rebuilt", "all", "ingest", "C-2 bbbbbbbbbbbb", "excluded", "b" * 64, "two slices are missing",
             costs["b" * 64]),
        Line("rebuilt", "all", "split", "cohort cccccccccccc", "computed", "c" * 64, None, costs["c" * 64]),
    ]  # fmt: skip
    assert [run.state for run in ledger.runs()] == ["done"]


def test_rebuilding_twice_forgets_what_has_gone(tmp_path: Path) -> None:
    store = ArtifactStore(tmp_path)
    for key in ("a" * 64, "b" * 64):
        commit(store, "ingest", key, "C-1")
    ledger = open_ledger(tmp_path)
    ledger.begin("r1", "pet")
    book(ledger, "r1", "C-1", "computed")
    rebuild(ledger, store.artifacts())
    store.remove(store.folder("ingest", "a" * 64))
    assert rebuild(ledger, store.artifacts()) == 1
    assert [line.key for line in ledger.lines("rebuilt")] == ["b" * 64]
    assert [line.subject for line in ledger.lines("r1")] == ["C-1"]
