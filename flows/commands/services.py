"""Commands about this machine and the services on it: ``doctor``, ``up``, ``status``, ``down``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from flows.commands.console import console, exit_codes, print_table

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


def up(
    data: Annotated[Path | None, typer.Option("--data", help="Inbox of the nights.", file_okay=False)] = None,
    store: Annotated[
        Path | None, typer.Option("--store", help="Artifact store of the nights.", file_okay=False)
    ] = None,
    model: Annotated[str | None, typer.Option(help="Model that screens; needed where the store has several.")] = None,
    study: Annotated[
        Path | None, typer.Option("--study", help="Study file of `run_study`, when started there.", dir_okay=False)
    ] = None,
    cron: Annotated[str | None, typer.Option(help='When nights begin, e.g. "30 1 * * *".')] = None,
    timezone: Annotated[str | None, typer.Option(help="In which time zone, e.g. Europe/Berlin.")] = None,
    workers: Annotated[int | None, typer.Option(min=1, help="CPU worker processes; by default one per core.")] = None,
    quiet_seconds: Annotated[
        float | None, typer.Option(min=0, help="A study with a younger file waits for the next night; by default 300.")
    ] = None,
) -> None:
    """Start everything that nights need, and schedule them: servers, Dask cluster, deployments, worker.

    What runs and is healthy stays as it is. Options are remembered: `lesionflow up` alone brings all back after a
    reboot. Without --data and --store no night is scheduled.
    """
    from pydantic import ValidationError

    from flows.services.deploying import Plan, remembered_plan
    from flows.services.night import up as bring_up
    from tasks.ingest.deidentify import load_key

    places = {"data": data, "store": store, "study": study}
    told = {name: str(place.resolve()) for name, place in places.items() if place is not None}
    told |= {name: text for name, text in {"model": model, "cron": cron, "timezone": timezone}.items() if text}
    with exit_codes():
        load_key()  # a key that cannot be used would fail every night
        try:
            kept = remembered_plan().model_dump(exclude_none=True)
            numbers = {"workers": workers, "quiet_seconds": quiet_seconds}
            told_numbers = {name: number for name, number in numbers.items() if number is not None}
            plan = Plan.model_validate({**kept, **told, **told_numbers})
        except ValidationError as error:
            raise typer.BadParameter("; ".join(one["msg"] for one in error.errors())) from error
        if plan.data is not None and not Path(plan.data).is_dir():
            raise typer.BadParameter(f"{plan.data} is not a folder", param_hint="--data")
        brought = bring_up(plan)
    for one in brought:
        console.print(f"{one.name:<15} {'started' if one.changed else 'unchanged':<10} {one.where}", soft_wrap=True)
    if not plan.runs_at_night:
        console.print("no night is scheduled: say --data and --store")
    if not any(one.changed for one in brought):
        console.print("everything was up already; nothing was changed")


def status() -> None:
    """Show which services run, and where."""
    from flows.services.night import status as services_status

    rows = []
    for one in services_status():
        state = "answers" if one.answers else "runs, but does not answer" if one.pid else "does not run"
        rows.append([one.name, state, one.url])
    print_table("Services", ["what", "state", "where"], rows)


def down() -> None:
    """End everything that `up` started or `run` left running, with all that it started in turn."""
    from flows.services.night import down as end_all

    for line in end_all():
        console.print(line)
