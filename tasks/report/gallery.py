"""Examples from many pictures: which are shown, and how a network's view is laid over one."""

from __future__ import annotations

import base64
import io
from collections.abc import Mapping
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

Pixels = npt.NDArray[np.uint8]

GLOW = (255, 140, 0)
"""Orange stands out from grey tissue, and from stained tissue too."""
STRONGEST = 0.6
"""Opacity where the network saw most: what lies below stays visible."""


class Answer(NamedTuple):
    """What a network says of a picture, and the annotated class if there is one."""

    predicted: str
    confidence: float
    truth: str | None


def choose_examples(answers: Mapping[str, Answer], count: int) -> list[str]:
    """Names of the pictures worth a look, at most ``count``.

    First up to half of them wrong ones, the most confident first: there is most to learn. Then of each predicted class
    in turn the most confident of those that are not known to be wrong.
    """

    def order(name: str) -> tuple[float, str]:
        return -answers[name].confidence, name

    wrong = [name for name, answer in answers.items() if answer.truth not in (None, answer.predicted)]
    chosen = sorted(wrong, key=order)[: count // 2]
    rest: dict[str, list[str]] = {}
    for name in sorted(set(answers) - set(wrong), key=order):
        rest.setdefault(answers[name].predicted, []).append(name)
    rounds = max(map(len, rest.values()), default=0)
    in_turn = [rest[label][turn] for turn in range(rounds) for label in sorted(rest) if turn < len(rest[label])]
    return (chosen + in_turn)[:count]


def glowing(pixels: Pixels, seen: npt.NDArray[np.floating]) -> Pixels:
    """A picture ``(y, x, 3)`` with a map ``(y, x)`` of 0..1 laid over it in orange, uint8."""
    opacity = (STRONGEST * np.clip(seen, 0.0, 1.0))[..., None]
    return np.asarray(np.rint(pixels * (1 - opacity) + np.asarray(GLOW) * opacity), dtype=np.uint8)


def png(pixels: Pixels) -> bytes:
    """A PNG of uint8 RGB ``(y, x, 3)``; equal pixels give equal bytes."""
    from PIL import Image

    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, format="PNG", optimize=True)
    return buffer.getvalue()


def data_uri(pixels: Pixels) -> str:
    """The same as a ``data:`` URI."""
    return "data:image/png;base64," + base64.b64encode(png(pixels)).decode("ascii")
