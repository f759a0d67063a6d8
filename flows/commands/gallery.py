"""``lesionflow gallery``: every operation on images at work, on one page."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Annotated

import typer

from flows.commands.console import console, errors, exit_codes


def gallery(
    data: Annotated[Path, typer.Option(help="Folder with images of any kind: DICOM, NIfTI, pictures.")],
    out: Annotated[Path, typer.Option(help="Where to write the page (HTML).", dir_okay=False)],
) -> None:
    """Show every operation on images before and after, on examples of a folder. Exit code 1 where one failed."""
    if not data.is_dir():
        raise typer.BadParameter(f"{data} is not a folder", param_hint="--data")
    with exit_codes():
        from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

        from flows.examples import find_examples
        from tasks.imaging.catalog import steps
        from tasks.report.organ_strips import organ_strips
        from tasks.report.steps_gallery import make_gallery, render_gallery
        from tasks.sample.candidates import find_candidates

        columns = (BarColumn(), MofNCompleteColumn(), TimeElapsedColumn(), TextColumn("{task.description}"))
        with Progress(*columns, console=console, transient=True) as progress:
            task = progress.add_task("", total=len(steps()))
            examples = find_examples(data, tell=lambda what: progress.update(task, description=what))
            progress.reset(task)
            made = make_gallery(steps(), examples, tell=lambda name: progress.update(task, advance=1, description=name))
            progress.update(task, description="organs and candidates")
            found = organ_strips(examples, lambda image, within: find_candidates(image, within=within))
            made = replace(made, organs=tuple(found))
        out.parent.mkdir(parents=True, exist_ok=True)
        out.write_text(render_gallery(made), encoding="utf-8")
        for kind in made.absent:
            console.print(f"no example of {kind} was found", highlight=False)
        console.print(f"{len(made.operations)} operations: {out}", highlight=False, soft_wrap=True)
    if made.failed:
        errors.print(f"[red]failed:[/] {', '.join(made.failed)}", soft_wrap=True)
        raise typer.Exit(1)
