"""What a value of ours is worth against a published one.

The standard publishes values with three significant digits or more, each with a tolerance. Ours is rounded to as many
digits and must then lie within the tolerance; numbers are compared as decimals, so that not even rounding errors add
slack. A row without a published value is *no reference*: it is shown, and never passes.
"""

from __future__ import annotations

import csv
import math
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from decimal import Context, Decimal
from pathlib import Path
from typing import Any, Literal

Verdict = Literal["pass", "fail", "no reference"]
VERDICTS: tuple[Verdict, ...] = ("pass", "fail", "no reference")
DIGITS = 3
"""Significant digits that the standard gives at least."""


@dataclass(frozen=True)
class Reference:
    """A row of a table of the standard.

    Attributes
    ----------
    tag
        What it is the value of, by the standard's name.
    value, tolerance
        As published; ``None``: the standard has no value.
    configuration
        Which of its configurations, where one table has several.
    """

    tag: str
    value: Decimal | None
    tolerance: Decimal | None
    configuration: str = ""


@dataclass(frozen=True)
class Row:
    """A value of ours beside the published one.

    Attributes
    ----------
    configuration
        How the image was prepared, e.g. ``"A"`` or ``"digital phantom"``.
    source
        What the image was read from, e.g. ``"NIfTI"``.
    tag, reference, tolerance
        See :class:`Reference`.
    ours
        NaN where we have none.
    verdict
        See :func:`verdict_of`.
    """

    configuration: str
    source: str
    tag: str
    reference: Decimal | None
    tolerance: Decimal | None
    ours: float
    verdict: Verdict


def verdict_of(ours: float, reference: Decimal | None, tolerance: Decimal | None) -> Verdict:
    """Whether a value, rounded to the published digits, lies within the tolerance of the published one.

    A value that is published without a tolerance has none.
    """
    if reference is None:
        return "no reference"
    if not math.isfinite(ours):
        return "fail"
    digits = max(DIGITS, len(reference.normalize().as_tuple().digits))
    rounded = Context(prec=digits).create_decimal_from_float(ours)
    return "pass" if abs(rounded - reference) <= (tolerance or 0) else "fail"


def judged(references: Iterable[Reference], ours: Mapping[str, float], *, configuration: str, source: str) -> list[Row]:
    """One row for each reference, in their order; a tag that we have no value of is NaN."""
    rows = []
    for one in references:
        value = ours.get(one.tag, math.nan)
        verdict = verdict_of(value, one.value, one.tolerance)
        rows.append(Row(configuration, source, one.tag, one.value, one.tolerance, value, verdict))
    return rows


def totals(rows: Iterable[Row]) -> dict[Verdict, int]:
    """How many rows have each verdict."""
    counted = Counter(row.verdict for row in rows)
    return {verdict: counted[verdict] for verdict in VERDICTS}


def as_json(rows: Iterable[Row]) -> dict[str, Any]:
    """Rows and totals for ``--json``: numbers are floats, ``null`` where there is none."""
    rows = list(rows)
    listed = [
        asdict(row)
        | {
            "reference": None if row.reference is None else float(row.reference),
            "tolerance": None if row.tolerance is None else float(row.tolerance),
            "ours": row.ours if math.isfinite(row.ours) else None,
        }
        for row in rows
    ]
    return {"rows": listed, "totals": totals(rows)}


def read_references(
    path: Path, *, value: str, tolerance: str, tag: str, configuration: str | None = None
) -> list[Reference]:
    """The rows of a table with semicolons between its columns, of which these are the names.

    Raises
    ------
    OSError
        The file cannot be read.
    ValueError
        It lacks a column.
    """
    with path.open(encoding="utf-8-sig", newline="") as lines:
        reader = csv.DictReader(lines, delimiter=";")
        columns = {value, tolerance, tag} | ({configuration} if configuration else set())
        if missing := columns - set(reader.fieldnames or ()):
            raise ValueError(f"{path.name} lacks the column {', '.join(sorted(missing))}")
        return [
            Reference(
                row[tag],
                _number(row[value]),
                _number(row[tolerance]),
                row[configuration] if configuration else "",
            )
            for row in reader
        ]


def _number(text: str) -> Decimal | None:
    return Decimal(text) if text.strip() else None
