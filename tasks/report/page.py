"""The report: one HTML page that holds everything it shows and asks nothing of the network.

Its only script is this folder's ``page.js``, named by its digest in the page's content security policy: text that came
from outside is escaped, and could not run even if it were not.
"""

from __future__ import annotations

import base64
import hashlib
import math
import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from markupsafe import Markup

from tasks.report import wording
from tasks.report.content import Difference, Estimate, LeftOut, ReportInput
from tasks.report.drawn import DrawnCase
from tasks.report.graph import graph_svg
from tasks.report.learning import SEGMENTATION_LOSS, learning_svg
from tasks.report.plots import TEMPLATES, environment, forest_svg, froc_svg
from tasks.report.synthesis import render_synthesis


@dataclass(frozen=True)
class ReasonGroup:
    """Series left out for one reason."""

    reason: str
    series: tuple[str, ...]
    modalities: str


@dataclass(frozen=True)
class Entry:
    """A case with its place on the page and the filters that show it."""

    anchor: str
    kinds: str
    case: DrawnCase


@dataclass(frozen=True)
class RuleRow:
    """A row of the evaluation table: this study over one denominator, or a baseline."""

    name: str
    own: bool
    estimates: Mapping[str, Estimate]
    differences: Mapping[str, Difference]


def render_page(report: ReportInput) -> str:
    """The page.

    Parameters
    ----------
    report
        What to show. Any part may be empty or undefined.

    Returns
    -------
    str
        HTML, to be written as UTF-8. Equal reports give equal text.
    """
    style = Markup((TEMPLATES / "page.css").read_text(encoding="utf-8"))  # noqa: S704 - our own file
    script = Markup((TEMPLATES / "page.js").read_text(encoding="utf-8"))  # noqa: S704 - our own file
    page = environment()
    page.globals.update(
        metric_name=wording.metric_name,
        baseline_name=wording.baseline_name,
        outcome_text=wording.outcome_text,
        outcome_kind=wording.outcome_kind,
        of_n=wording.of_n,
        interval=wording.interval,
        p_value=wording.p_value,
        count=wording.count,
        graph=graph_svg,
    )
    page.filters.update(number=wording.number, significant=wording.significant)
    columns = _columns(report)
    rows = _rule_rows(report)
    return page.get_template("page.html.j2").render(
        report=report,
        style=style,
        script=script,
        script_digest=base64.b64encode(hashlib.sha256(script.encode()).digest()).decode("ascii"),
        entries=_entries(report.cases),
        headline=report.metrics.get(report.headline),
        best=_best_baseline(report),
        set_aside=_by_reason(report.accounting.set_aside),
        quarantined=_by_reason(report.accounting.quarantined),
        findings=sum(len(case.findings) for case in report.cases),
        cases_with_findings=sum(bool(case.findings) for case in report.cases),
        annotated=any(case.outcome is not None for case in report.cases),
        window_sets=_window_sets(report.cases),
        columns=columns,
        rule_rows=rows,
        froc=froc_svg(report.curves) if any(curve.fp_per_scan for curve in report.curves) else None,
        forest=_forest(report, rows),
        learning=_learning(report),
        synthesis=render_synthesis(report.synthesis) if report.synthesis else None,
    )


def _by_reason(series: Sequence[LeftOut]) -> list[ReasonGroup]:
    """Groups in falling size, then by reason."""
    groups: dict[str, list[LeftOut]] = {}
    for item in series:
        groups.setdefault(item.reason, []).append(item)
    ranked = sorted(groups.items(), key=lambda pair: (-len(pair[1]), pair[0]))
    return [ReasonGroup(reason, tuple(item.series for item in items), _modalities(items)) for reason, items in ranked]


def _modalities(items: Sequence[LeftOut]) -> str:
    counts = Counter(item.modality or "unknown" for item in items)
    if len(counts) == 1:
        return next(iter(counts))
    return ", ".join(f"{modality} {n}" for modality, n in sorted(counts.items()))


def _entries(cases: Sequence[DrawnCase]) -> list[Entry]:
    """A case's anchor is its pseudonym, so that others can link to it, where that is safe and not yet taken."""
    entries: dict[str, Entry] = {}
    for position, case in enumerate(cases, start=1):
        safe = re.fullmatch(r"[A-Za-z][\w-]*", case.case, re.ASCII) and case.case not in entries
        anchor = case.case if safe else f"section-case-{position}"
        entries[anchor] = Entry(anchor, " ".join(_kinds(case)), case)
    return list(entries.values())


def _kinds(case: DrawnCase) -> Iterator[str]:
    if case.findings:
        yield "findings"
    if case.outcome and case.outcome.missed:
        yield "missed"
    if case.outcome and case.outcome.false_positives:
        yield "false"
    if case.flags:
        yield "flags"


def _window_sets(cases: Sequence[DrawnCase]) -> dict[tuple[str, ...], str]:
    """The sets of grey scales on the page, with the names of the images that have them."""
    images: dict[tuple[str, ...], dict[str, None]] = {}
    for case in cases:
        images.setdefault(case.windows, {})[case.image] = None
    return {windows: ", ".join(names) for windows, names in images.items()}


def _columns(report: ReportInput) -> list[str]:
    """Metrics with a column: the headline first, then as they come."""
    names = [*report.metrics, *(name for estimates in report.baselines.values() for name in estimates)]
    unique = dict.fromkeys(names)
    return sorted(unique, key=lambda name: name != report.headline)


def _rule_rows(report: ReportInput) -> list[RuleRow]:
    if not report.metrics and not report.baselines:
        return []
    analysed = {name: metric.analysed for name, metric in report.metrics.items() if metric.analysed is not None}
    rows = [RuleRow("This study, over received", True, report.metrics, {})]
    if analysed:
        rows.append(RuleRow("This study, over analysed", True, analysed, {}))
    for rule, estimates in report.baselines.items():
        differences = {d.metric: d for d in report.differences if d.baseline == rule}
        rows.append(RuleRow(wording.baseline_name(rule), False, estimates, differences))
    return rows


def _best_baseline(report: ReportInput) -> tuple[str, Estimate] | None:
    """The best headline value of a plain rule, with the names of all that reach it; models of the study are none."""
    models = {fold.model for fold in report.folds}
    sign = -1.0 if report.headline in wording.LOWER_IS_BETTER else 1.0
    plain = {rule: e for rule, e in report.baselines.items() if rule not in models}
    candidates = [(rule, e[report.headline]) for rule, e in plain.items() if report.headline in e]
    scored = [(sign * e.value, rule, e) for rule, e in candidates if e.value is not None and math.isfinite(e.value)]
    if not scored:
        return None
    best = max(score for score, _, _ in scored)
    names = [wording.baseline_name(rule) for score, rule, _ in scored if score == best]
    return ", ".join(names), next(estimate for score, _, estimate in scored if score == best)


def _learning(report: ReportInput) -> Markup | None:
    if report.segmentation and report.segmentation.learning:
        return learning_svg(report.segmentation.learning, what=SEGMENTATION_LOSS)
    return learning_svg(report.pictures.learning) if report.pictures and report.pictures.learning else None


def _forest(report: ReportInput, rows: Sequence[RuleRow]) -> Markup | None:
    drawn = [row for row in rows if report.headline in row.estimates]
    if not drawn:
        return None
    pairs = [(row.name.replace("This study, over", "This study,"), row.estimates[report.headline]) for row in drawn]
    return forest_svg(pairs, title=wording.metric_name(report.headline), own=sum(row.own for row in drawn))
