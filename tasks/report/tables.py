"""Findings as ``findings.csv`` and ``findings.json``: the same records as on the page, number for number."""

from __future__ import annotations

import csv
import io
import json
import math
from collections.abc import Iterable

from storage.finding import Finding

COLUMNS = (
    "case",
    "patient",
    "number",
    "image",
    "label",
    "confidence",
    "position_x_mm",
    "position_y_mm",
    "position_z_mm",
    "centroid_x_mm",
    "centroid_y_mm",
    "centroid_z_mm",
    "slice",
    "row",
    "column",
    "source_instance",
    "source_frame",
    "long_axis_mm",
    "short_axis_mm",
    "volume_ml",
    "intensity_unit",
    "intensity_mean",
    "intensity_sd",
    "intensity_minimum",
    "intensity_median",
    "intensity_maximum",
    "flags",
    "model",
    "mask",
)
"""Columns of ``findings.csv``; positions are DICOM LPS, slices and voxels count from 0, frames from 1."""

FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r", "\n")


def write_findings_csv(findings: Iterable[Finding]) -> str:
    """Findings as RFC 4180 text, one a row, in the order given.

    Parameters
    ----------
    findings
        Any number; none gives the header alone.

    Returns
    -------
    str
        To be written as UTF-8 with its line ends (CRLF) as they are. Numbers are written so that reading them back
        gives the same float; what is undefined is an empty cell; flags are joined by ``";"``. Text that a spreadsheet
        would run as a formula gets an apostrophe in front (OWASP, *CSV Injection*).
    """
    buffer = io.StringIO(newline="")
    writer = csv.writer(buffer, lineterminator="\r\n")
    writer.writerow(COLUMNS)
    writer.writerows([_cell(value) for value in _row(finding)] for finding in findings)
    return buffer.getvalue()


def findings_json(findings: Iterable[Finding]) -> str:
    """Findings as a JSON list of ``Finding`` records, in the order given; what is undefined is ``null``."""
    records = [json.loads(finding.model_dump_json()) for finding in findings]
    return json.dumps(records, indent=2, ensure_ascii=False, allow_nan=False) + "\n"


def _row(finding: Finding) -> tuple[str | int | float | None, ...]:
    intensity = finding.intensity
    return (
        finding.case,
        finding.patient,
        finding.number,
        finding.image,
        finding.label,
        finding.confidence,
        *finding.position_mm,
        *finding.centroid_mm,
        *finding.voxel,
        finding.source_instance,
        finding.source_frame,
        finding.long_axis_mm,
        finding.short_axis_mm,
        finding.volume_ml,
        intensity.unit,
        intensity.mean,
        intensity.sd,
        intensity.minimum,
        intensity.median,
        intensity.maximum,
        ";".join(finding.flags),
        finding.model,
        finding.mask,
    )


def _cell(value: str | int | float | None) -> str:
    if value is None:
        return ""
    if isinstance(value, float):
        return repr(value) if math.isfinite(value) else ""
    text = str(value)
    return f"'{text}" if isinstance(value, str) and text.startswith(FORMULA_STARTS) else text
