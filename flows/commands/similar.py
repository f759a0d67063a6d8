"""``lesionflow similar``: places of other cases that look like a finding."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from flows.commands.console import StoreFolder, console, exit_codes, open_store, print_table


def similar(
    case: Annotated[str, typer.Argument(help="Pseudonym of the case, C-…, or how it begins.")],
    store: StoreFolder,
    finding: Annotated[int, typer.Option(min=1, help="Number of its finding that is asked about.")] = 1,
    at: Annotated[
        tuple[float, float, float] | None,
        typer.Option(metavar="X Y Z", help="A place instead, in mm (DICOM LPS): --at -32.5 14 -210"),
    ] = None,
    size: Annotated[float, typer.Option(min=4, max=400, help="Side of the cube that is compared, in mm.")] = 32.0,
    count: Annotated[int, typer.Option("-k", min=1, max=100, help="How many places.")] = 5,
    picture: Annotated[Path | None, typer.Option(help="Where to write their middle slices side by side (PNG).")] = None,
) -> None:
    """Find the candidates of other cases that look most like a finding, whatever their brightness."""
    from flows.similar import find_similar

    with exit_codes():
        answer = find_similar(open_store(store), case, finding=finding, at_mm=at, size_mm=size, k=count)
        rows = [
            [place.case, ", ".join(f"{mm:.1f}" for mm in place.position_mm), f"{likeness:.3f}"]
            for place, likeness in answer.found
        ]
        print_table(
            f"Most like {answer.asked.case}, of {answer.searched} places", ["case", "mm (LPS)", "likeness"], rows
        )
        if picture:
            from tasks.report.neighbours import draw_neighbours

            found = [(f"{place.case}\n{likeness:.2f}", place.region) for place, likeness in answer.found]
            picture.parent.mkdir(parents=True, exist_ok=True)
            picture.write_bytes(draw_neighbours([(f"{answer.asked.case}\nasked", answer.asked.region), *found]))
            console.print(f"picture: {picture}", highlight=False, soft_wrap=True)
