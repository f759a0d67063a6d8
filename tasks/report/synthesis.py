"""The section on synthetic pictures: real beside synthetic ones, curves, verdicts, and what they are worth."""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from markupsafe import Markup

from tasks.report import wording
from tasks.report.plots import Line, environment, render_svg
from tasks.report.synthesis_content import SynthesisCurves, SynthesisFold, SynthesisGain, SynthesisPart

METHODS = {
    "original": "the original adversarial losses, non-saturating",
    "r1": "the original losses with the R1 penalty at real pictures",
    "wgan_gp": "Wasserstein's losses with a gradient penalty on the discriminator",
}
CURVE_NAMES = {
    "discriminator_loss": "discriminator's loss",
    "generator_loss": "generator's loss",
    "penalty": "penalty, unweighted",
}


def synthesis_part(folder: Path, facts: Mapping[str, Any], *, learned_from: int = 0) -> SynthesisPart:
    """The content of the section from an artifact of ``judge_synthesis``.

    Parameters
    ----------
    folder
        Where the sheets ``real_0.png``, ``synthetic_0.png`` … lie.
    facts
        Its ``judgement.json``.
    learned_from
        How many synthetic pictures a model of the study learned from.
    """
    return SynthesisPart(
        method=facts["method"],
        class_name=facts["class_name"],
        learned_from=learned_from,
        folds=tuple(_fold(folder, one) for one in facts["folds"]),
        curves=tuple(_curves(one) for one in facts["folds"]),
        gains=tuple(_gains(facts)),
    )


def render_synthesis(part: SynthesisPart) -> Markup:
    """The section as HTML; equal parts give equal text."""
    page = environment()
    page.globals.update(metric_name=wording.metric_name, interval=wording.interval, p_value=wording.p_value)
    page.filters.update(number=wording.number)
    drawn = page.get_template("synthesis.html.j2").render(
        part=part,
        method=METHODS.get(part.method, part.method),
        figures=[(one.name, curves_svg(one)) for one in part.curves],
    )
    return Markup(drawn)  # noqa: S704 - the template has escaped what came from outside


def curves_svg(curves: SynthesisCurves, *, standalone: bool = False) -> Markup:
    """Losses and penalty of one training over the generator's steps; Wasserstein's losses may lie below zero."""
    left, top, width, height = 52.0, 14.0, 400.0, 200.0
    values = [value for several in curves.values.values() for value in several]
    low, high = min([*values, 0.0]), max([*values, 1e-6])
    last = max(curves.steps, default=1)

    def points(several: Sequence[float]) -> str:
        return " ".join(
            f"{left + step / last * width:g},{top + (high - value) / (high - low) * height:g}"
            for step, value in zip(curves.steps, several, strict=True)
        )

    lines = [
        Line(CURVE_NAMES.get(name, name), points(several), None, None, f"s{1 + order % 7}")
        for order, (name, several) in enumerate(curves.values.items())
    ]
    ticks_x = [(left + part / 4 * width, wording.number(part / 4 * last, 0)) for part in range(5)]
    ticks_y = [(top + (1 - part / 4) * height, wording.number(low + part / 4 * (high - low))) for part in range(5)]
    frame = {"left": left, "top": top, "width": width, "height": height}
    names = {"title": f"Losses of {curves.name}", "x_title": "Step of the generator", "y_title": "Loss"}
    return render_svg("lines.svg.j2", standalone, lines=lines, ticks_x=ticks_x, ticks_y=ticks_y, **frame, **names)


def _fold(folder: Path, facts: Mapping[str, Any]) -> SynthesisFold:
    memory, found, real = (facts[name] for name in ("memorization", "fidelity", "real_fidelity"))
    return SynthesisFold(
        name=f"fold {facts['fold'] + 1}",
        real=_uri(folder / f"real_{facts['fold']}.png"),
        synthetic=_uri(folder / f"synthetic_{facts['fold']}.png"),
        made=facts["made"],
        copies_missed=facts["copies_missed"],
        **{name: memory[name] for name in ("copies", "nearest_training", "expected", "p")},
        **{name: found[name] for name in ("precision", "recall", "density", "coverage")},
        real_precision=real["precision"],
        real_recall=real["recall"],
    )


def _curves(facts: Mapping[str, Any]) -> SynthesisCurves:
    history = facts["history"]
    return SynthesisCurves(
        name=f"fold {facts['fold'] + 1}",
        steps=tuple(one["step"] for one in history),
        values={name: tuple(one[name] for one in history) for name in CURVE_NAMES if any(one[name] for one in history)},
    )


def _gains(facts: Mapping[str, Any]) -> list[SynthesisGain]:
    return [
        SynthesisGain(
            metric=metric,
            other=other,
            value=facts["figures"]["synthetic"][metric],
            other_value=facts["figures"][other][metric],
            difference=found["value"],
            low=found["interval"][0],
            high=found["interval"][1],
            p=found["p"],
            n=found["n"],
        )
        for other, several in facts["differences"].items()
        for metric, found in several.items()
    ]


def _uri(path: Path) -> str:
    return "data:image/png;base64," + base64.b64encode(path.read_bytes()).decode("ascii")
