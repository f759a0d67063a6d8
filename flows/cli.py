"""The ``lesionflow`` command.

Exit codes: 0 done, 3 done with exclusions, 2 bad settings or input, 1 failed, 130 stopped by Ctrl-C.
"""

from __future__ import annotations

import atexit
import json
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from gc import freeze, set_threshold
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console
from rich.table import Table

if TYPE_CHECKING:
    from flows.summary import RunSummary

app = typer.Typer(
    help="A hospital's night shift for medical images: DICOM in, lesion findings and their evidence out.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode="rich",
)
console = Console()
errors = Console(stderr=True, highlight=False)

StudyFile = Annotated[
    Path, typer.Argument(help="Study file (TOML); see deployments/studies/ for examples.", dir_okay=False)
]
StoreFolder = Annotated[
    Path, typer.Option("--store", help="Folder of the artifact store; made when missing.", file_okay=False)
]
CONSTRAINTS = Path(__file__).parents[1] / "constraints.txt"


def main() -> None:
    """Entry point of the console script."""
    set_threshold(50_000)  # importing makes a million objects that stay: looking through them again costs 0.7 s,
    atexit.register(freeze)  # and once more at the end 0.9 s
    app()


@app.command()
def run(
    study: StudyFile,
    data: Annotated[
        Path, typer.Option("--data", help="Folder of DICOM files, any order and nesting.", file_okay=False)
    ],
    store: StoreFolder,
    workers: Annotated[int | None, typer.Option(min=1, help="CPU worker processes; by default one per core.")] = None,
    scheduler: Annotated[
        str | None, typer.Option(help="Address of a Dask scheduler to use, e.g. tcp://127.0.0.1:8786.")
    ] = None,
    json_file: Annotated[Path | None, typer.Option("--json", help="Write the run summary here.")] = None,
    server: Annotated[
        bool, typer.Option("--server/--no-server", help="Without: a temporary Prefect server for this run only.")
    ] = True,
) -> None:
    """Run a study: the whole chain from a DICOM inbox to a report.

    What the store already holds is not computed again, so the same command continues a run that was stopped or failed.
    Without a Prefect server in reach one is started on 127.0.0.1 and left running; `lesionflow down` ends it.
    """
    from flows.settings import load_study

    with _exit_codes():
        load_study(study)  # refuse a bad study file before anything is started
        if not data.is_dir():
            raise typer.BadParameter(f"{data} is not a folder", param_hint="--data")
        summary, dashboard = _run(study, data, store, workers=workers, scheduler=scheduler, temporary=not server)
        if json_file:
            json_file.parent.mkdir(parents=True, exist_ok=True)
            json_file.write_text(summary.model_dump_json(indent=1))
        _tell(summary, dashboard if server else None)
    raise typer.Exit(summary.exit_code)


@app.command()
def ledger(
    store: StoreFolder,
    run_id: Annotated[str | None, typer.Option("--run", help="Only this run; by default the last.")] = None,
    all_runs: Annotated[bool, typer.Option("--all", help="List the runs.")] = False,
    rebuild: Annotated[
        bool, typer.Option("--rebuild", help="Rebuild the ledger from the commit markers of the store.")
    ] = False,
) -> None:
    """Show every case received, its state at every stage, and why it was excluded."""
    from storage import ledger as books

    with _exit_codes():
        found = _open_store(store)
        ledger_ = books.Ledger(books.ledger_url(found.root))
        if rebuild:
            console.print(f"{books.rebuild(ledger_, found.artifacts())} entries rebuilt as run 'rebuilt'")
        runs = ledger_.runs()
        if all_runs or not runs:
            _print_table(
                "Runs",
                ["run", "study", "state", "started"],
                [[r.id, r.study, r.state, f"{r.started:%Y-%m-%d %H:%M}"] for r in runs],
            )
            return
        lines = ledger_.lines(run_id or runs[0].id)
        rows = [[line.stage, line.subject, line.state, f"{line.seconds:.2f}", line.reason or ""] for line in lines]
        _print_table(f"Run {run_id or runs[0].id}", ["stage", "case", "state", "seconds", "reason"], rows)


@app.command()
def verify(
    store: StoreFolder,
    remove_damaged: Annotated[
        bool, typer.Option("--remove-damaged", help="Remove damaged artifacts, so that the next run makes them again.")
    ] = False,
) -> None:
    """Hash every artifact again and name what is damaged. Exit code 1 when something is."""
    from storage.verify import verify_store

    with _exit_codes():
        found = _open_store(store)
        checked, damaged = verify_store(found)
        for damage in damaged:
            errors.print(f"[red]damaged[/] {damage.artifact}: {', '.join(damage.faults)}")
            if remove_damaged:
                found.remove(damage.folder)
        console.print(
            f"{checked} artifacts checked, {len(damaged)} damaged{' and removed' if remove_damaged and damaged else ''}"
        )
    raise typer.Exit(1 if damaged and not remove_damaged else 0)


@app.command()
def gc(
    store: StoreFolder,
    keep_runs: Annotated[int, typer.Option(min=1, help="Newest runs of each study whose artifacts are kept.")] = 3,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only say what would be removed.")] = False,
) -> None:
    """Remove artifacts that no model alias and none of the last runs needs."""
    from storage import ledger as books
    from storage.collect import collect

    with _exit_codes():
        found = _open_store(store)
        result = collect(found, books.Ledger(books.ledger_url(found.root)), keep_runs=keep_runs, dry_run=dry_run)
        verb = "would remove" if dry_run else "removed"
        console.print(
            f"{verb} {len(result.artifacts)} artifacts and {len(result.drafts)} abandoned drafts "
            f"({result.bytes / 2**20:.1f} MiB); kept {result.kept}"
        )


@app.command()
def doctor(store: Annotated[Path | None, typer.Option("--store", help="Also look at this store.")] = None) -> None:
    """Check versions against the pins, disk, memory, GPU, servers and the pseudonym key."""
    from flows.doctor import checkup

    checks = checkup(store, CONSTRAINTS)
    mark = {True: "[green]ok[/]", False: "[red]bad[/]", None: "[dim]–[/]"}
    _print_table(
        "Doctor", ["", "what", "found", "advice"], [[mark[c.ok], c.name, c.text, c.advice or ""] for c in checks]
    )
    raise typer.Exit(1 if any(check.ok is False for check in checks) else 0)


@app.command()
def settings(study: StudyFile) -> None:
    """Print a study's settings with every default filled in, as JSON."""
    from flows.settings import load_study

    with _exit_codes():
        print(load_study(study).model_dump_json(indent=2))  # noqa: T201 - plain JSON on stdout, for pipes


@app.command()
def schema(
    what: Annotated[str, typer.Argument(help="study, summary, finding or commit; all by default.")] = "all",
) -> None:
    """Print the JSON Schemas of the study file, the run summary, findings and commit markers."""
    from pydantic import BaseModel

    from flows.settings import StudySettings
    from flows.summary import RunSummary
    from storage.artifacts import Commit
    from storage.finding import Finding

    models: dict[str, type[BaseModel]] = {
        "study": StudySettings,
        "summary": RunSummary,
        "finding": Finding,
        "commit": Commit,
    }
    if what != "all" and what not in models:
        raise typer.BadParameter(f"'{what}'; choose from: all, {', '.join(models)}")
    schemas = {name: model.model_json_schema() for name, model in models.items()}
    print(json.dumps(schemas if what == "all" else schemas[what], indent=2))  # noqa: T201 - plain JSON on stdout, for pipes


@app.command()
def status() -> None:
    """Show which servers run, and where."""
    from flows.server import status as server_status

    _print_table(
        "Servers",
        ["what", "state", "where"],
        [[s.name, "answers" if s.answers else "does not run", s.url] for s in server_status()],
    )


@app.command()
def down() -> None:
    """End the Prefect server and the report server that `run` left running."""
    from flows.server import down as end_servers

    for line in end_servers() or ["nothing was running"]:
        console.print(line)


def _run(
    study: Path, data: Path, store: Path, *, workers: int | None, scheduler: str | None, temporary: bool
) -> tuple[RunSummary, str]:
    """Start what is missing, run the flow, and leave in order. Returns the summary and where the dashboard shows it."""
    from flows.processes import interruptible
    from flows.server import ensure_server, report_server

    # The terminal shows progress; the dashboard and the ledger keep the details.
    os.environ.setdefault("PREFECT_LOGGING_HANDLERS_CONSOLE_LEVEL", "WARNING")
    with (
        interruptible("the run"),
        ensure_server(temporary=temporary) as server,
        report_server(temporary=temporary),
    ):
        errors.print(f"dashboard: {server.ui_url}")
        from flows.cluster import ClusterError
        from flows.leases import mark_cancelled
        from flows.run import RunStopped
        from flows.study import run_study

        try:
            places = (str(study.resolve()), str(data.resolve()), str(store.resolve()))
            summary = run_study(*places, workers=workers, scheduler=scheduler)
            return summary, f"{server.ui_url}/runs/flow-run/{summary.run}"
        except RunStopped as stop:
            mark_cancelled(stop.run_id, "stopped by Ctrl-C or SIGTERM")
            raise
        except ClusterError as error:
            raise typer.BadParameter(str(error)) from error


def _tell(summary: RunSummary, dashboard: str | None) -> None:
    cached = sum(count.cached for count in summary.stages.values())
    computed = sum(count.computed for count in summary.stages.values())
    console.print(
        f"[bold]{summary.study}[/]: {summary.received} received = {summary.analysed} analysed + "
        f"{len(summary.excluded)} excluded; "
        f"{summary.findings} findings; {computed} computed, {cached} from the store, in {summary.seconds:.0f} s",
        highlight=False,
    )
    for exclusion in summary.excluded:
        console.print(f"  excluded {exclusion.case} at {exclusion.stage}: {exclusion.reason}", highlight=False)
    for note in summary.notes:
        console.print(f"  note: {note}", highlight=False)
    if summary.report:
        places = {"report": summary.report, "findings": summary.findings_csv, "dashboard": dashboard}
        for name, place in places.items():
            if place:
                console.print(f"{name + ':':<10} {place}", highlight=False, soft_wrap=True)


def _open_store(store: Path) -> Any:
    from storage.artifacts import ArtifactStore

    if not (store / "format.json").is_file():
        raise typer.BadParameter(f"{store} is not a store", param_hint="--store")
    return ArtifactStore(store)


def _print_table(title: str, columns: list[str], rows: list[list[str]]) -> None:
    table = Table(*columns, title=title, title_justify="left")
    for row in rows:
        table.add_row(*row)
    console.print(table)


@contextmanager
def _exit_codes() -> Iterator[None]:
    """Turn what can go wrong into one clear line and the exit code that scripts rely on."""
    from flows.background import ServiceError
    from flows.study_file import StudyFileError
    from storage.errors import StoreError
    from tasks.ingest.deidentify import KeyFileError

    try:
        yield
    except (StudyFileError, KeyFileError, StoreError) as error:
        errors.print(f"[red]error:[/] {error}", soft_wrap=True)
        raise typer.Exit(2) from error
    except ServiceError as error:
        errors.print(f"[red]error:[/] {error}", soft_wrap=True)
        raise typer.Exit(1) from error
    except KeyboardInterrupt:
        errors.print("stopped; the same command continues where this one ended")
        sys.exit(130)
    except (typer.Exit, typer.BadParameter):
        raise
    except Exception as error:
        errors.print(f"[red]failed:[/] {type(error).__name__}: {error}", soft_wrap=True)
        raise typer.Exit(1) from error
