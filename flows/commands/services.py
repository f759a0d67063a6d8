"""Commands about this machine and the servers on it: ``doctor``, ``status``, ``down``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from flows.commands.console import console, print_table

CONSTRAINTS = Path(__file__).parents[2] / "constraints.txt"


def doctor(store: Annotated[Path | None, typer.Option("--store", help="Also look at this store.")] = None) -> None:
    """Check versions against the pins, disk, memory, GPU, servers and the pseudonym key."""
    from flows.doctor import checkup

    checks = checkup(store, CONSTRAINTS)
    mark = {True: "[green]ok[/]", False: "[red]bad[/]", None: "[dim]–[/]"}
    print_table(
        "Doctor", ["", "what", "found", "advice"], [[mark[c.ok], c.name, c.text, c.advice or ""] for c in checks]
    )
    raise typer.Exit(1 if any(check.ok is False for check in checks) else 0)


def status() -> None:
    """Show which servers run, and where."""
    from flows.server import status as server_status

    print_table(
        "Servers",
        ["what", "state", "where"],
        [[s.name, "answers" if s.answers else "does not run", s.url] for s in server_status()],
    )


def down() -> None:
    """End the Prefect server and the report server that `run` left running."""
    from flows.server import down as end_servers

    for line in end_servers() or ["nothing was running"]:
        console.print(line)
