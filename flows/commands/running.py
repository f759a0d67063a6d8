"""Commands that do a night's work: ``run`` and ``screen``."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from flows.commands.console import StoreFolder, StudyFile, console, errors, exit_codes, open_store

if TYPE_CHECKING:
    from flows.summary import RunSummary

DataFolder = Annotated[
    Path, typer.Option("--data", help="Folder of files, any order and nesting; or one .npz file of pictures.")
]
Workers = Annotated[int | None, typer.Option(min=1, help="CPU worker processes; by default one per core.")]
Scheduler = Annotated[str | None, typer.Option(help="Address of a Dask scheduler to use, e.g. tcp://127.0.0.1:8786.")]
JsonFile = Annotated[Path | None, typer.Option("--json", help="Write the run summary here.")]
WithServer = Annotated[
    bool, typer.Option("--server/--no-server", help="Without: a temporary Prefect server for this run only.")
]


def run(
    study: StudyFile,
    data: DataFolder,
    store: StoreFolder,
    workers: Workers = None,
    scheduler: Scheduler = None,
    json_file: JsonFile = None,
    server: WithServer = True,
) -> None:
    """Run a study: the whole chain from a DICOM inbox to a report.

    What the store already holds is not computed again, so the same command continues a run that was stopped or failed.
    Without a Prefect server in reach one is started on 127.0.0.1 and left running; `lesionflow down` ends it.
    """
    from flows.settings import load_study

    with exit_codes():
        load_study(study)  # refuse a bad study file before anything is started

        def work() -> RunSummary:
            from flows.study import run_study

            places = (str(study.resolve()), str(data.resolve()), str(store.resolve()))
            return run_study(*places, workers=workers, scheduler=scheduler)

        _work(work, data, json_file, server=server)


def screen(
    data: DataFolder,
    store: StoreFolder,
    model: Annotated[
        str | None, typer.Option(help="Name of the model; not needed while the store has only one.")
    ] = None,
    recrop: Annotated[
        bool, typer.Option("--recrop", help="Cut a random part off each image, as a study may do. By default: whole.")
    ] = False,
    score: Annotated[
        bool, typer.Option("--score", help="Compare with annotations beside the images. Detection never reads them.")
    ] = False,
    workers: Workers = None,
    scheduler: Scheduler = None,
    json_file: JsonFile = None,
    server: WithServer = True,
) -> None:
    """Screen new examinations with the model in production, and report what was found.

    A case is looked at once: the store has the answer until its images, the model or the settings change.
    """
    from storage.models import ModelRegistry

    with exit_codes():
        ModelRegistry(open_store(store).root).get(model)  # refuse an unknown name before anything is started

        def work() -> RunSummary:
            from flows.nightly import run_nightly

            places = (str(data.resolve()), str(store.resolve()))
            return run_nightly(
                *places,
                model=model,
                recrop=recrop,
                score=score,
                quiet_seconds=0.0,
                workers=workers,
                scheduler=scheduler,
            )

        _work(work, data, json_file, server=server)


def _work(work: Callable[[], RunSummary], data: Path, json_file: Path | None, *, server: bool) -> None:
    """Do the work with servers around it, write and tell its summary, and end with its exit code."""
    if not data.is_dir() and not (data.suffix == ".npz" and data.is_file()):
        raise typer.BadParameter(f"{data} is not a folder, nor an .npz file", param_hint="--data")
    summary, dashboard = _with_servers(work, temporary=not server)
    if json_file:
        json_file.parent.mkdir(parents=True, exist_ok=True)
        json_file.write_text(summary.model_dump_json(indent=1))
    _tell(summary, dashboard if server else None)
    raise typer.Exit(summary.exit_code)


def _with_servers(work: Callable[[], RunSummary], *, temporary: bool) -> tuple[RunSummary, str]:
    """Start what is missing, do the work, and leave in order. Returns the summary and where the dashboard shows it."""
    from flows.processes import interruptible
    from flows.services.server import ensure_server, report_server

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

        try:
            summary = work()
            return summary, f"{server.ui_url}/runs/flow-run/{summary.run}"
        except RunStopped as stop:
            mark_cancelled(stop.run_id, "stopped by Ctrl-C, SIGTERM, or Cancel in the dashboard")
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
        soft_wrap=True,
    )
    for exclusion in summary.excluded:
        console.print(
            f"  excluded {exclusion.case} at {exclusion.stage}: {exclusion.reason}",
            highlight=False,
            markup=False,
            soft_wrap=True,
        )
    for note in summary.notes:
        console.print(f"  note: {note}", highlight=False, markup=False, soft_wrap=True)
    if summary.report:
        places = {"report": summary.report, "findings": summary.findings_csv, "dashboard": dashboard}
        for name, place in places.items():
            if place:
                console.print(f"{name + ':':<10} {place}", highlight=False, soft_wrap=True)
