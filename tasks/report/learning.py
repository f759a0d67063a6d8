"""The loss of every epoch as a figure, in the manner of `tasks.report.plots`."""

from __future__ import annotations

import math
from collections.abc import Sequence

from markupsafe import Markup

from tasks.report.picture_content import Learning
from tasks.report.plots import Line, render_svg
from tasks.report.wording import number

CROSS_ENTROPY = "Cross-entropy (nats)"
SEGMENTATION_LOSS = "1 − Dice + cross-entropy"


def learning_svg(learning: Sequence[Learning], *, what: str = CROSS_ENTROPY, standalone: bool = False) -> Markup:
    """The loss over epochs, called ``what``: a strong line as each network learned, a thin one on what was held out."""
    left, top, width, height = 52.0, 14.0, 400.0, 270.0
    epochs = max((len(one.training) for one in learning), default=1)
    losses = [v for one in learning for v in (*one.training, *one.held_out) if v is not None and math.isfinite(v)]
    most = max([*losses, 1e-6])

    def points(values: Sequence[float | None]) -> str:
        return " ".join(
            f"{left + (epoch / max(1, epochs - 1)) * width:g},{top + (1 - value / most) * height:g}"
            for epoch, value in enumerate(values)
            if value is not None and math.isfinite(value)
        )

    lines = []
    for order, one in enumerate(learning):
        style = f"s{1 + order % 7}"
        lines.append(Line(f"{one.name}, learning", points(one.training), None, None, style))
        if any(value is not None for value in one.held_out):
            lines.append(Line(f"{one.name}, held out", points(one.held_out), None, None, f"{style} later"))
    ticks_x = [(left + part / 4 * width, number(1 + part / 4 * (epochs - 1), 0)) for part in range(5)]
    ticks_y = [(top + (1 - part / 5) * height, number(most * part / 5)) for part in range(6)]
    frame = {"left": left, "top": top, "width": width, "height": height}
    names = {"title": "Loss over epochs", "x_title": "Epoch", "y_title": what}
    return render_svg("lines.svg.j2", standalone, lines=lines, ticks_x=ticks_x, ticks_y=ticks_y, **frame, **names)
