"""What a run leaves for its readers: the outbox, the run summary, and artifacts in the Prefect dashboard.

Every user of the dashboard sees these: they hold pseudonyms and numbers alone.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence

from prefect.artifacts import create_image_artifact, create_link_artifact, create_table_artifact

from flows.run import Run
from flows.services.server import publish_reports
from flows.summary import Estimate, Metric, RunSummary
from storage.artifacts import MARKER, write_atomically
from tasks.report.content import Accounting

PLOTS = {"froc": "Free-response curve", "learning": "Loss of every epoch"}


def publish(run: Run, report_key: str, accounts: Accounting, scores: str | None, notes: Sequence[str]) -> RunSummary:
    """Fill outbox, summary and dashboard from a report.

    Parameters
    ----------
    report_key
        Key of the report.
    scores
        Key of the cohort's evaluation; ``None`` when nothing was trained or nothing is to be compared with.
    notes
        Sentences for the summary, e.g. why nothing was trained.
    """
    summary, folder = run.summary, run.store.open("report", report_key)
    summary.notes = list(notes)
    run.outbox.mkdir(parents=True, exist_ok=True)
    for source in sorted(path for path in folder.iterdir() if path.name != MARKER):
        write_atomically(run.outbox / source.name, source.read_bytes())
    summary.report, summary.findings_csv = str(run.outbox / "report.html"), str(run.outbox / "findings.csv")
    summary.findings = len(json.loads((folder / "findings.json").read_text()))
    summary.series_seen, summary.waiting = accounts.series_seen, accounts.waiting
    summary.set_aside, summary.quarantined = len(accounts.set_aside), len(accounts.quarantined)
    summary.received, summary.analysed = accounts.received, accounts.analysed
    summary.excluded, summary.stages = run.dispatch.exclusions, run.dispatch.counts
    if scores:
        evaluation = json.loads((run.store.open("evaluate", scores) / "evaluation.json").read_text())
        summary.metrics = {name: Metric.model_validate(metric) for name, metric in evaluation["metrics"].items()}
        summary.baselines = {
            rule: {name: Estimate.model_validate(value) for name, value in values.items()}
            for rule, values in evaluation["baselines"].items()
        }
    _show(summary, publish_reports(run.outbox), sorted(path.name for path in folder.glob("*.svg")))
    return summary


def _show(summary: RunSummary, url: str, plots: Sequence[str]) -> None:
    """Put report, metrics, plots and exclusions into the dashboard."""
    create_link_artifact(
        key="report", link=f"{url}report.html", link_text="Report", description=f"Report of study {summary.study}"
    )
    if summary.metrics:
        create_table_artifact(
            key="metrics",
            table=_metrics_table(summary.metrics, summary.baselines),
            description="Metrics and baselines, 95 % intervals",
        )
    for plot in plots if summary.metrics else ():
        name = plot.removesuffix(".svg")
        create_image_artifact(key=name, image_url=f"{url}{plot}", description=PLOTS.get(name, name))
    create_table_artifact(
        key="excluded",
        table=[exclusion.model_dump() for exclusion in summary.excluded]
        or [{"case": "none", "stage": "", "reason": ""}],
        description=f"{summary.received} received = {summary.analysed} analysed + {len(summary.excluded)} excluded",
    )
    create_table_artifact(
        key="stages",
        table=[{"stage": name, **count.model_dump()} for name, count in summary.stages.items()],
        description="Work by stage",
    )


def _metrics_table(
    metrics: Mapping[str, Metric], baselines: Mapping[str, Mapping[str, Estimate]]
) -> list[dict[str, str]]:
    rows = [{"what": "this study", **{name: _text(metric) for name, metric in metrics.items()}}]
    return rows + [
        {"what": rule, **{name: _text(values[name]) if name in values else "" for name in metrics}}
        for rule, values in baselines.items()
    ]


def _text(estimate: Estimate) -> str:
    if estimate.value is None:
        return "not defined"
    if estimate.low is None or estimate.high is None:
        return f"{estimate.value:.3f}"
    return f"{estimate.value:.3f} [{estimate.low:.3f}, {estimate.high:.3f}]"
