"""What all commands share: how they speak, how they end, and the options that many have."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table

if TYPE_CHECKING:
    from storage.artifacts import ArtifactStore

console = Console()
errors = Console(stderr=True, highlight=False)

StudyFile = Annotated[
    Path, typer.Argument(help="Study file (TOML); see deployments/studies/ for examples.", dir_okay=False)
]
StoreFolder = Annotated[
    Path, typer.Option("--store", help="Folder of the artifact store; made when missing.", file_okay=False)
]


@contextmanager
def exit_codes() -> Iterator[None]:
    """Turn what can go wrong into one clear line and the exit code that scripts rely on."""
    from flows.services.background import ServiceError
    from flows.study_file import StudyFileError
    from storage.errors import CaseError, StoreError
    from tasks.ingest.deidentify import KeyFileError

    try:
        yield
    except (StudyFileError, KeyFileError, StoreError, CaseError) as error:
        errors.print(f"[red]error:[/] {escape(str(error))}", soft_wrap=True)
        raise typer.Exit(2) from error
    except ServiceError as error:
        errors.print(f"[red]error:[/] {escape(str(error))}", soft_wrap=True)
        raise typer.Exit(1) from error
    except KeyboardInterrupt:
        errors.print("stopped; the same command continues where this one ended")
        sys.exit(130)
    except (typer.Exit, typer.BadParameter):
        raise
    except Exception as error:
        errors.print(f"[red]failed:[/] {type(error).__name__}: {escape(str(error))}", soft_wrap=True)
        raise typer.Exit(1) from error


def open_store(store: Path) -> ArtifactStore:
    """A store that is already there."""
    from storage.artifacts import ArtifactStore

    if not (store / "format.json").is_file():
        raise typer.BadParameter(f"{store} is not a store", param_hint="--store")
    return ArtifactStore(store)


def print_table(title: str, columns: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """A table for people."""
    table = Table(title=title, title_justify="left")
    for column in columns:
        table.add_column(column, overflow="fold")  # a name that is cut short is no name
    for row in rows:
        table.add_row(*row)
    console.print(table)
