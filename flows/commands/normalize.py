"""``lesionflow normalize``: one case again, step by step, to be looked at."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from flows.commands.console import StoreFolder, console, exit_codes, open_store, print_table


def normalize(
    case: Annotated[str, typer.Argument(help="Pseudonym of the case, C-…, or how it begins.")],
    store: StoreFolder,
    study: Annotated[
        Path | None,
        typer.Option(
            help="Study file whose steps are tried; by default those of the last run of the case.",
            dir_okay=False,
            exists=True,
        ),
    ] = None,
    preview: Annotated[
        Path | None, typer.Option(help="Where to write the picture of every step, before and after (PNG).")
    ] = None,
) -> None:
    """Normalize one case again and show what each step does to it. Nothing in the store is changed."""
    from flows.trying import try_steps
    from tasks.normalize.preview import draw_preview

    with exit_codes():
        tried = try_steps(open_store(store), case, study)
        rows = [
            [
                str(done.number),
                done.step.name,
                " × ".join(map(str, done.after.shape)),
                " × ".join(f"{s:g}" for s in done.after.spacing_mm),
                f"{float(done.after.array.min()):.4g} … {float(done.after.array.max()):.4g} {done.after.unit}",
            ]
            for done in tried.chain
        ]
        print_table(f"{tried.case}: {tried.image}", ["", "step", "voxels (z, y, x)", "mm", "values"], rows)
        if tried.fault:
            console.print(tried.fault, style="red", highlight=False, markup=False, soft_wrap=True)
        target = preview or Path.cwd() / f"{tried.case}.normalize.png"
        if tried.chain:
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(draw_preview(tried.chain, title=f"{tried.case} · {tried.image}{tried.part}"))
            console.print(f"preview: {target}", highlight=False, soft_wrap=True)
    raise typer.Exit(3 if tried.fault else 0)
