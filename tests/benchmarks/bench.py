"""How fast our operations are beside the libraries that people would use otherwise: ``make bench``.

    make bench WORK=normalize OUT=FILE.json
    make bench WORK=normalize ONLY=median

Both sides of a row work on the same subject, which the work says in its ``subject.py``, each in its own process and
environment, with one thread; once more with two threads for the note. Ours keeps freed memory, as our workers do
(`tasks.freed_memory`); a peer has its process as it comes. They take turns, and medians count.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Annotated

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table

from tests.benchmarks.duel import Outcome, RowError, duel, outcome_of
from tests.benchmarks.peer_environment import PeersError, python_with_peers
from tests.benchmarks.row import AT_HOME, Row, rows_of, subject_of, works

console = Console()
MINIMUM_REPEATS = 5
PARITY = 0.9
"""What is wrapped is as fast, but for the noise of the clock."""


def chosen_rows(work: str, only: str | None) -> list[Row]:
    """The rows to run: of one work, perhaps only one, by its name with or without the peer's."""
    if work not in works():
        raise typer.BadParameter(f"'{work}'; choose from: {', '.join(works())}", param_hint="WORK")
    rows = rows_of(work)
    chosen = [row for row in rows if only in (None, row.work, row.name)]
    if not chosen:
        raise typer.BadParameter(f"'{only}'; choose from: {', '.join(row.name for row in rows)}", param_hint="ONLY")
    return chosen


def run_rows(work: str, rows: list[Row], repeats: int) -> tuple[list[Outcome], list[str]]:
    """Outcomes of the rows that ran, and what the others died of."""
    outcomes, faults = [], []
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=console, transient=True) as progress, TemporaryDirectory() as folder:
        first = progress.add_task("environment and subject", total=2)
        ourselves = Path(sys.executable)
        peers = ourselves if AT_HOME.issuperset(row.peer for row in rows) else python_with_peers(work)
        progress.advance(first)
        subject_of(work).make(subject := Path(folder))
        progress.advance(first)
        for row in rows:
            python = ourselves if row.peer in AT_HOME else peers
            task = progress.add_task(row.name, total=2 * (repeats + 1))
            try:
                single, double = (
                    duel(work, row, python, subject, threads=n, repeats=repeats, tell=lambda: progress.advance(task))  # noqa: B023 - called at once
                    for n in (1, 2)
                )
                outcomes.append(outcome_of(row, single, double))
            except RowError as error:
                faults.append(str(error))
    return outcomes, faults


def table_of(outcomes: list[Outcome], rows: list[Row]) -> Table:
    """The outcomes for people."""
    wanted = {(row.work, row.peer): row.wanted for row in rows}
    table = Table(title="Medians in seconds, one thread", title_justify="left")
    for heading in ("work", "peer"):
        table.add_column(heading, no_wrap=True)
    for heading in ("ours", "peer's", "faster", "wanted", "equal"):
        table.add_column(heading, justify="right")
    for outcome in outcomes:
        ratio, goal = outcome.peer_s / outcome.ours_s, wanted[outcome.work, outcome.peer]
        colour = "green" if ratio >= (PARITY if goal == 1 else goal) else "yellow"
        seconds = [f"{value:.3g}" for value in (outcome.ours_s, outcome.peer_s)]
        equal = "yes" if outcome.equal else "[red]no[/]"
        table.add_row(outcome.work, outcome.peer, *seconds, f"[{colour}]{ratio:.2f}×[/]", f"{goal:g}×", equal)
    return table


def bench(
    work: Annotated[str, typer.Argument(help="Which comparisons: a folder of tests/benchmarks.")],
    out: Annotated[Path | None, typer.Option(help="Where to write the rows as JSON.", dir_okay=False)] = None,
    only: Annotated[str | None, typer.Option(help="Run one row, such as median or median/simpleitk.")] = None,
    repeats: Annotated[int, typer.Option(min=MINIMUM_REPEATS, help="Turns of each side.")] = MINIMUM_REPEATS,
) -> None:
    """Compare our speed with the libraries'. Exit code 1 where a row could not be run."""
    rows = chosen_rows(work, only)
    try:
        outcomes, faults = run_rows(work, rows, repeats)
    except PeersError as error:
        console.print(f"[red]error:[/] {error}", highlight=False, soft_wrap=True)
        raise typer.Exit(1) from error
    console.print(table_of(outcomes, rows))
    for outcome in outcomes:
        console.print(f"{outcome.work}/{outcome.peer}: {outcome.note}", highlight=False, soft_wrap=True, style="dim")
    for fault in faults:
        console.print(f"[red]failed:[/] {fault}", highlight=False, soft_wrap=True)
    if out is not None:
        out.parent.mkdir(parents=True, exist_ok=True)
        out.write_text(
            json.dumps([outcome.as_json() for outcome in outcomes], indent=1, ensure_ascii=False) + "\n",
            encoding="utf-8",
        )
    if faults:
        raise typer.Exit(1)


if __name__ == "__main__":
    typer.run(bench)
