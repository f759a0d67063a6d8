"""``lesionflow features``: the numbers of one region of one image."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

from flows.commands.console import console, exit_codes, print_table


def features(
    image: Annotated[Path, typer.Argument(help="Folder of one DICOM series, or a NIfTI, NRRD or MetaImage file.")],
    mask: Annotated[
        Path, typer.Argument(help="Label image on the image's grid, or a DICOM structure set or segmentation.")
    ],
    settings: Annotated[
        Path | None,
        typer.Option(
            help="TOML file with a block [extract], as in a study file; without one, the families of the IBSI.",
            dir_okay=False,
        ),
    ] = None,
    unit: Annotated[
        str | None, typer.Option(help="Unit of a file that is not DICOM: HU, SUV or arbitrary (the default).")
    ] = None,
    roi: Annotated[
        list[str] | None, typer.Option(help="Names in the structure set (* and ? allowed); all by default.")
    ] = None,
    label: Annotated[
        int | None, typer.Option(help="Value of the region in the label image; by default all but 0.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON, with the settings that were used.")] = False,
) -> None:
    """Compute the features of one region, each with its unit, its IBSI code, and a reason where it has no value."""
    from flows.one_region import FeaturesFile, features_of_files
    from flows.reading import UNITS
    from flows.study_file import load_toml_settings

    with exit_codes():
        if unit is not None and unit not in UNITS:
            raise typer.BadParameter(f"'{unit}'; choose from: {', '.join(UNITS)}", param_hint="--unit")
        chosen = load_toml_settings(settings, FeaturesFile) if settings else FeaturesFile()
        found = features_of_files(image, mask, chosen.extract, unit=unit, roi=tuple(roi or ()), label=label)
        if as_json:
            typer.echo(json.dumps(found.as_json(), indent=1, ensure_ascii=False, allow_nan=False))
            return
        rows = [
            [
                one.name,
                f"[yellow]{one.reason}[/]" if one.value is None else f"{one.value:.6g}",
                one.unit,
                one.ibsi_code or "",
            ]
            for one in found.values
        ]
        print_table(
            f"{found.voxels} voxels, {found.counted} of them counted", ["feature", "value", "unit", "IBSI"], rows
        )
        undefined = sum(one.value is None for one in found.values)
        console.print(f"{len(rows)} features, {undefined} without a value", highlight=False)
