"""Commands that look after a store: ``ledger``, ``verify``, ``gc``."""

from __future__ import annotations

from typing import Annotated

import typer

from flows.commands.console import StoreFolder, console, errors, exit_codes, open_store, print_table


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

    with exit_codes():
        found = open_store(store)
        ledger_ = books.Ledger(books.ledger_url(found.root))
        if rebuild:
            console.print(f"{books.rebuild(ledger_, found.artifacts())} entries rebuilt as run 'rebuilt'")
        runs = ledger_.runs()
        if all_runs or not runs:
            print_table(
                "Runs",
                ["run", "study", "state", "started"],
                [[r.id, r.study, r.state, f"{r.started:%Y-%m-%d %H:%M}"] for r in runs],
            )
            return
        lines = ledger_.lines(run_id or runs[0].id)
        rows = [[line.stage, line.subject, line.state, f"{line.seconds:.2f}", line.reason or ""] for line in lines]
        print_table(f"Run {run_id or runs[0].id}", ["stage", "case", "state", "seconds", "reason"], rows)


def verify(
    store: StoreFolder,
    remove_damaged: Annotated[
        bool, typer.Option("--remove-damaged", help="Remove damaged artifacts, so that the next run makes them again.")
    ] = False,
) -> None:
    """Hash every artifact again and name what is damaged. Exit code 1 when something is."""
    from storage.verify import verify_store

    with exit_codes():
        found = open_store(store)
        checked, damaged = verify_store(found)
        for damage in damaged:
            errors.print(f"[red]damaged[/] {damage.artifact}: {', '.join(damage.faults)}")
            if remove_damaged:
                found.remove(damage.folder)
        console.print(
            f"{checked} artifacts checked, {len(damaged)} damaged{' and removed' if remove_damaged and damaged else ''}"
        )
    raise typer.Exit(1 if damaged and not remove_damaged else 0)


def gc(
    store: StoreFolder,
    keep_runs: Annotated[int, typer.Option(min=1, help="Newest runs of each study whose artifacts are kept.")] = 3,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only say what would be removed.")] = False,
) -> None:
    """Remove artifacts that no model alias and none of the last runs needs."""
    from storage import ledger as books
    from storage.collect import collect

    with exit_codes():
        found = open_store(store)
        result = collect(found, books.Ledger(books.ledger_url(found.root)), keep_runs=keep_runs, dry_run=dry_run)
        verb = "would remove" if dry_run else "removed"
        console.print(
            f"{verb} {len(result.artifacts)} artifacts and {len(result.drafts)} abandoned drafts "
            f"({result.bytes / 2**20:.1f} MiB); kept {result.kept}"
        )
