"""``lesionflow compliance``: our values against those that the IBSI has published."""

from __future__ import annotations

import json
from collections.abc import Sequence
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from flows.commands.console import console, exit_codes, print_table

if TYPE_CHECKING:
    from flows.compliance.verdict import Row

References = Annotated[
    Path,
    typer.Option(
        "--references",
        help="Folder with the standard's phantoms, ibsi_1_… and ibsi_2_…, and its values, reference_ibsi1 and …2.",
        file_okay=False,
    ),
]
AsJson = Annotated[bool, typer.Option("--json", help="Print rows and totals as JSON.")]
STYLES = {"pass": "green", "fail": "bold red", "no reference": "dim"}

app = typer.Typer(help="Compare our values with those that the IBSI has published.", no_args_is_help=True)


@app.command()
def ibsi1(references: References, as_json: AsJson = False) -> None:
    """Features: digital phantom, and configurations A to E on the CT phantom, from DICOM and from NIfTI.

    Exit codes: 0 every value with a reference is within its tolerance, 1 some are not, 2 the references are not there.
    """
    from flows.compliance.ibsi1 import compare

    with exit_codes():
        report(compare(references), as_json=as_json)


@app.command()
def ibsi2(references: References, as_json: AsJson = False) -> None:
    """Filters: response maps of the digital phantoms, and intensity statistics of responses on the CT phantom.

    A map whose reference is not in the folder is listed as such. Exit codes: 0 everything with a reference is within
    its tolerance, 1 something is not, 2 the references are not there.
    """
    from flows.compliance.ibsi2 import compare

    with exit_codes():
        report(compare(references), as_json=as_json)


def report(rows: Sequence[Row], *, as_json: bool) -> None:
    """Print rows and totals, and end with exit code 1 where a value with a reference is outside its tolerance."""
    from flows.compliance import verdict

    if as_json:
        print(json.dumps(verdict.as_json(rows), indent=2))  # noqa: T201 - plain JSON on stdout, for pipes
    else:
        print_rows(rows)
    if verdict.totals(rows)["fail"]:
        raise typer.Exit(1)


def print_rows(rows: Sequence[Row]) -> None:
    """A table for each configuration and source, and the totals."""
    from flows.compliance.verdict import VERDICTS, totals

    sums = []
    for (configuration, source), group in groupby(rows, key=lambda row: (row.configuration, row.source)):
        listed = list(group)
        lines = [
            [
                row.tag,
                "" if row.reference is None else str(row.reference),
                "" if row.tolerance is None else str(row.tolerance),
                f"{row.ours:.6g}",
                f"[{STYLES[row.verdict]}]{row.verdict}[/]",
            ]
            for row in listed
        ]
        print_table(f"{configuration}, {source}", ["value", "reference", "tolerance", "ours", "verdict"], lines)
        counted = totals(listed)
        sums.append([configuration, source, *(str(counted[verdict]) for verdict in VERDICTS)])
    counted = totals(rows)
    sums.append(["[bold]all[/]", "", *(f"[bold]{counted[verdict]}[/]" for verdict in VERDICTS)])
    print_table("Totals", ["configuration", "source", *VERDICTS], sums)
    established = counted["pass"] + counted["fail"]
    console.print(f"{counted['pass']} of {established} values with a reference are within its tolerance.")
