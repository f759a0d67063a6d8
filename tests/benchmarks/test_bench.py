"""The harness of the benchmarks: what it calls equal, what it writes, and what it refuses. Nothing is timed here."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from rich.console import Console
from typer.testing import CliRunner

from tests.benchmarks import bench
from tests.benchmarks.duel import Duel, Outcome, RowError, outcome_of
from tests.benchmarks.peer_environment import PeersError, python_with_peers
from tests.benchmarks.phantom import ct_phantom
from tests.benchmarks.row import AT_HOME, PEERS, SUBJECT, Row, largest_difference, rows_of, subject_of, works

DUEL = Duel(
    0.123456,
    1.0,
    ours_cpu_s=0.1,
    peer_cpu_s=0.9,
    ours_first_s=2.5,
    peer_first_s=1.5,
    ours_mib=500.0,
    peer_mib=900.0,
    version="scipy 1.0",
    difference=0.25,
)


def row(tolerance: float = 0.5, work: str = "smooth") -> Row:
    return Row(work, "scipy", lambda v: lambda: v, lambda v: lambda: v, tolerance, "all of it", wanted=5.0)


@pytest.fixture
def app(monkeypatch: pytest.MonkeyPatch):
    """The command with two rows that cost nothing: one runs, the other fails."""
    import typer

    def run_rows(work: str, rows: list[Row], repeats: int) -> tuple[list[Outcome], list[str]]:
        ran = [outcome_of(each, DUEL, DUEL) for each in rows if each.work == "smooth"]
        return ran, [f"{each.name}: died" for each in rows if each.work != "smooth"]

    monkeypatch.setattr(bench, "rows_of", lambda work: [row(), row(work="broken")])
    monkeypatch.setattr(bench, "run_rows", run_rows)
    command = typer.Typer()
    command.command()(bench.bench)
    return lambda *arguments: CliRunner().invoke(command, [str(argument) for argument in arguments])


def test_results_are_equal_up_to_the_tolerance() -> None:
    assert outcome_of(row(tolerance=0.25), DUEL, DUEL).equal
    assert not outcome_of(row(tolerance=0.24), DUEL, DUEL).equal


def test_the_first_turn_that_is_told_is_the_one_that_compiled_nothing() -> None:
    later = replace(DUEL, ours_first_s=0.75)
    assert "first turn of a process 0.75 s against 1.5 s" in outcome_of(row(), DUEL, later).note


def test_results_must_be_equal_with_two_threads_too() -> None:
    differs = replace(DUEL, difference=0.6)
    assert not outcome_of(row(), DUEL, differs).equal


def test_the_difference_is_the_largest_one_within_the_margin() -> None:
    ours, theirs = np.zeros((4, 5), np.int16), np.zeros((4, 5), np.float32)
    theirs[0, 0], theirs[1, 2] = 9, -2
    assert largest_difference(ours, theirs, 0) == 9
    assert largest_difference(ours, theirs, 1) == 2
    assert largest_difference(np.asarray(3.0), np.asarray(1.0), 0) == 2


def test_a_relative_difference_is_a_share_of_the_larger_value_and_none_of_two_zeros() -> None:
    ours, theirs = np.array([0.0, 4.0, -1e-9]), np.array([0.0, 5.0, -1e-9])
    assert largest_difference(ours, theirs, scale="relative") == pytest.approx(0.2)
    assert largest_difference(np.array([0.0]), np.array([1e-9]), scale="relative") == 1


def test_a_difference_of_range_is_a_share_of_what_the_peers_array_spans() -> None:
    theirs = np.array([[0.0, 10.0], [5.0, 5.0]])
    ours = np.array([[1.0, 10.0], [5.0, 5.2]])
    assert largest_difference(ours, theirs, scale="of range") == pytest.approx(0.2)
    assert largest_difference(ours[:1], theirs[:1], scale="of range") == pytest.approx(0.1)


def test_other_shapes_and_values_that_are_no_numbers_are_never_equal() -> None:
    ours = np.zeros((4, 5))
    assert largest_difference(ours, np.zeros((5, 4)), 0) == np.inf
    assert largest_difference(ours, np.full((4, 5), np.nan), 0) == np.inf


def test_integers_are_compared_without_overflow() -> None:
    assert largest_difference(np.full((1, 1), 200, np.uint8), np.full((1, 1), 255, np.uint8), 0) == 55


def test_the_file_has_one_object_a_row(app, tmp_path: Path) -> None:
    out = tmp_path / "new" / "rows.json"
    done = app("normalize", "--only", "smooth", "--out", out)
    assert done.exit_code == 0
    [written] = json.loads(out.read_text())
    assert list(written) == ["work", "peer", "ours_s", "peer_s", "equal", "note"]
    assert written["ours_s"] == 0.1235
    assert written["equal"] is True
    assert "2 threads" in written["note"]


def test_a_row_that_fails_makes_the_command_fail_and_the_others_are_kept(app, tmp_path: Path) -> None:
    done = app("normalize", "--out", tmp_path / "rows.json")
    assert done.exit_code == 1
    assert "broken/scipy: died" in done.output
    assert [written["work"] for written in json.loads((tmp_path / "rows.json").read_text())] == ["smooth"]


def test_an_unknown_work_or_row_lists_the_choices(app) -> None:
    for arguments, choices in ((("normalise",), "normalize"), (("normalize", "--only", "x"), "smooth/scipy")):
        done = app(*arguments)
        assert done.exit_code == 2
        assert choices in done.output


def test_the_table_names_both_sides_and_how_they_compare() -> None:
    console = Console(width=120, record=True, file=open("/dev/null", "w"))  # noqa: SIM115 - closed with the process
    console.print(bench.table_of([outcome_of(row(), DUEL, DUEL)], [row()]))
    text = console.export_text()
    for part in ("smooth", "scipy", "0.123", "8.10", "yes"):
        assert part in text


@pytest.mark.parametrize("work", works())
def test_every_row_is_named_after_its_file_and_says_what_it_compares(work: str) -> None:
    rows = rows_of(work)
    files = sorted(path.stem for path in (Path(__file__).parent / work).glob("*.py") if path.stem != SUBJECT)
    assert len(files) == len(rows)
    for file, each in zip(files, rows, strict=True):
        assert file in (each.work, f"{each.work}_{each.peer}")
    for each in rows:
        assert each.peer in PEERS
        assert each.says
        assert each.wanted > 0
        assert each.tolerance >= 0


@pytest.mark.parametrize("work", works())
def test_every_work_says_what_its_rows_are_about_and_lists_its_peers(work: str) -> None:
    subject = subject_of(work)
    assert callable(subject.make)
    assert callable(subject.load)
    listed = Path(__file__).parent / work / "peers.txt"
    assert AT_HOME.issuperset(row.peer for row in rows_of(work)) or "==" in listed.read_text()


def test_the_generated_volume_is_the_same_each_time_and_like_a_ct() -> None:
    volume = ct_phantom((6, 64, 64))
    assert np.array_equal(volume, ct_phantom((6, 64, 64)))
    assert volume.dtype == np.int16
    assert volume.min() < -900
    assert volume.max() > 500
    assert np.diff(volume.astype(int)).any(axis=(1, 2)).all()


def test_an_environment_that_cannot_be_made_says_what_pip_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "joinery").mkdir()
    (tmp_path / "joinery" / "peers.txt").write_text("not a requirement!\n")
    with pytest.raises(PeersError, match=r"(?s)cannot be made.*not a requirement"):
        python_with_peers("joinery", tmp_path, tmp_path / "peers")


def test_a_side_that_ends_is_named_with_what_it_said_last(tmp_path: Path) -> None:
    import sys

    from tests.benchmarks.duel import Worker

    with (
        Worker(Path(sys.executable), "normalize", row(work="unknown"), "ours", 1, tmp_path, tmp_path) as worker,
        pytest.raises(RowError, match=r"unknown/scipy, ours: ended with 1: .*StopIteration"),
    ):
        worker.answer()
