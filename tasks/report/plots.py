"""Figures as SVG text: free-response curves, and estimates with their intervals.

They are drawn by hand from a few scales rather than by a plotting library: the same content gives the same bytes, the
text stays text, and the page's colours (light, dark, print) apply. ``standalone`` makes a file of its own.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from tasks.report.content import Curve, Estimate
from tasks.report.wording import baseline_name, defined, interval, number

TEMPLATES = Path(__file__).parent / "templates"
FP_TICKS = (0.125, 0.25, 0.5, 1.0, 2.0, 4.0, 8.0)
"""The false positive rates of the competition performance metric, doi:10.1016/j.media.2017.06.015 (LUNA16)."""


@dataclass(frozen=True)
class Line:
    """A drawn curve: SVG points, its style classes, and its legend."""

    name: str
    points: str
    single: tuple[float, float] | None
    mark: tuple[float, float] | None
    style: str


@dataclass(frozen=True)
class Row:
    """A drawn estimate: positions along the axis, or ``None`` where undefined."""

    name: str
    y: float
    value: float | None
    low: float | None
    high: float | None
    text: str
    own: bool


def environment() -> Environment:
    """Templates of this folder: everything is escaped, a missing value is an error."""
    return Environment(
        loader=FileSystemLoader(TEMPLATES),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=False,
    )


def froc_svg(curves: Sequence[Curve], *, standalone: bool = False) -> Markup:
    """Sensitivity over false positives per scan, on the usual logarithmic axis from 1/8 to 8.

    Parameters
    ----------
    curves
        The study's own first. A curve is a staircase: a sensitivity holds until a looser threshold raises it. What lies
        left of 1/8 is drawn at the left edge; a curve of one point is a dot.
    standalone
        With the namespace that a file of its own needs.

    Returns
    -------
    Markup
        An ``<svg>`` element.
    """
    left, top, width, height = 52.0, 14.0, 400.0, 270.0

    octaves = math.log2(FP_TICKS[-1] / FP_TICKS[0])

    def x(fp: float) -> float:
        shown = min(max(fp, FP_TICKS[0]), FP_TICKS[-1])
        return round(left + math.log2(shown / FP_TICKS[0]) / octaves * width, 2)

    def y(sensitivity: float) -> float:
        return round(top + (1 - min(max(sensitivity, 0.0), 1.0)) * height, 2)

    def line(curve: Curve, order: int) -> Line:
        # Seven colours for the rules, then the same with another dash; the study's own colour is never reused.
        style = f"s{1 + (order - 1) % 7}{' later' if order > 7 else ''}" if order else "s0 own"
        pairs = sorted(zip(curve.fp_per_scan, curve.sensitivity, strict=True))
        points = [(x(fp), y(s)) for fp, s in pairs if math.isfinite(fp) and math.isfinite(s)]
        at = curve.operating_point
        mark = (x(at[0]), y(at[1])) if at is not None and all(map(math.isfinite, at)) else None
        if len(points) == 1:
            return Line(baseline_name(curve.name), "", points[0], mark, style)
        return Line(baseline_name(curve.name), " ".join(_staircase(points, left + width)), None, mark, style)

    drawn = [line(curve, order) for order, curve in enumerate(curves) if curve.fp_per_scan]
    ticks_x = [(x(fp), str(fp).removesuffix(".0") if fp >= 1 else f"1/{round(1 / fp)}") for fp in FP_TICKS]
    ticks_y = [(y(step / 5), number(step / 5, 1)) for step in range(6)]
    frame = {"left": left, "top": top, "width": width, "height": height}
    names = {"title": "Free-response curves", "x_title": "False positives per scan", "y_title": "Sensitivity"}
    return render_svg("lines.svg.j2", standalone, lines=drawn, ticks_x=ticks_x, ticks_y=ticks_y, **frame, **names)


def forest_svg(rows: Sequence[tuple[str, Estimate]], *, title: str, own: int = 1, standalone: bool = False) -> Markup:
    """Estimates with their confidence intervals, one a row, on a common axis.

    Parameters
    ----------
    rows
        Name and estimate.
    title
        What is estimated.
    own
        The first so many rows are this study's and are drawn strongly.
    standalone
        With the namespace that a file of its own needs.
    """
    left, top, width, step = 156.0, 14.0, 220.0, 25.0
    values = [v for _, e in rows for v in (e.value, e.low, e.high) if v is not None and math.isfinite(v)]
    most = 1.0 if max(values, default=1.0) <= 1 else _round_up(max(values))

    def x(value: float | None) -> float | None:
        if value is None or not math.isfinite(value):
            return None
        return round(left + min(max(value, 0.0), most) / most * width, 2)

    drawn = [
        Row(name, top + (i + 0.5) * step, x(e.value), x(e.low), x(e.high), _estimate_text(e), i < own)
        for i, (name, e) in enumerate(rows)
    ]
    digits = 1 if most >= 1 else 2
    ticks = [(x(most * part / 5), number(most * part / 5, digits)) for part in range(6)]
    frame = {"left": left, "top": top, "width": width, "height": step * len(rows)}
    return render_svg("forest.svg.j2", standalone, rows=drawn, ticks=ticks, title=title, **frame)


def _staircase(points: list[tuple[float, float]], right: float) -> list[str]:
    corners = points[:1]
    for x, y in points[1:]:
        corners += [(x, corners[-1][1]), (x, y)]
    corners += [(right, y) for _, y in corners[-1:]]
    return [f"{x:g},{y:g}" for x, y in corners]


def _estimate_text(estimate: Estimate) -> str:
    between = interval(estimate.low, estimate.high)
    return number(estimate.value) + (f" [{between}]" if between and defined(estimate.value) else "")


def _round_up(value: float) -> float:
    power = 10.0 ** math.floor(math.log10(value))
    return next(step * power for step in (1, 2, 5, 10) if step * power >= value)


def render_svg(template: str, standalone: bool, **values: object) -> Markup:
    """A figure from one of this folder's templates."""
    drawn = environment().get_template(template).render(standalone=standalone, **values)
    return Markup(drawn)  # noqa: S704 - the template has escaped what came from outside
