"""Organs, fields and candidates on images: each organ's mask on a generated image, and on examples that suit it.

Masks are drawn as outlines on slices; what was refused or is doubtful is shown with its reasons.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from functools import cache, partial

import numpy as np
from scipy import ndimage

from storage.volume import IDENTITY_DIRECTION, Volume
from tasks.imaging.candidate_set import CandidateSet
from tasks.imaging.morphology import BoolArray
from tasks.imaging.organ import Organ, OrganMask, organs
from tasks.imaging.step import Array, View, kind_of
from tasks.report.demonstration import Picture, Shown, Window, draw, window_of
from tasks.report.example import Example, ExampleKind, averaged
from tasks.report.gallery import data_uri
from tasks.report.greyscale import grey
from tasks.report.strips import Named, Strip

EXAMPLES: Mapping[str, tuple[ExampleKind, ...]] = {
    "body": ("CT", "PET"),
    "lungs": ("CT",),
    "liver": ("CT",),
    "brain": ("MR",),
    "retina_field": ("retina",),
    "optic_disc": ("retina",),
    "retina_vessels": ("retina",),
    "breast_ultrasound": ("ultrasound",),
}
"""Kinds of examples that an organ is shown on beside the generated image; none are at hand for the others."""
DRAWN: Mapping[str, ExampleKind] = {
    "retina_field": "retina",
    "optic_disc": "retina",
    "retina_vessels": "retina",
    "breast_ultrasound": "ultrasound",
}
INKS = ((0, 229, 255), (255, 140, 0))
"""Cyan and orange: the parts of an organ."""
CANDIDATE_INK, LESION_INK = (255, 225, 0), (255, 0, 200)
COLOURS = ("cyan", "orange")
MOST_VOXELS = (200, 300, 300)
PICTURE_PIXELS = 800
PIXELS_PER_LINE = 280
"""A picture of so many pixels has outlines one pixel wide."""
CLOSE_UP_MM = 45.0
"""Half the side of the close-up of a lesion."""
AT = (0.25, 0.5, 0.75)
"""Where along an organ it is cut."""

Ink = tuple[int, int, int]
Layer = tuple[Array, Sequence[Ink]]
"""Labels of a slice, and the inks of 1, 2, …."""
FindCandidates = Callable[[Volume, BoolArray], CandidateSet]
"""Candidates of an image inside of a mask."""


def organ_strips(examples: Mapping[ExampleKind, list[Example]], find_candidates: FindCandidates) -> Iterator[Strip]:
    """A row for each organ, and one of candidates in the lungs."""
    for name, kind in organs().items():
        shown = [("generated", generated(name))]
        suiting = [e for wanted in EXAMPLES.get(name, ()) for e in examples.get(wanted, [])]
        shown += [(e.title, e) for e in suiting if kind_of(e.array, e.spacing_mm) in kind.kinds]
        yield _strip(name.replace("_", " "), _sentence(kind), shown, partial(organ_pictures, kind()))
    lungs = organs()["lungs"]()
    shown = [("generated", generated("lungs"))]
    shown += [(e.title, e) for e in examples.get("CT", []) if kind_of(e.array, e.spacing_mm) == "3-D"]
    sentence = "What the stage sample finds in the lungs (yellow, orange the one that agrees best with the contour)."
    yield _strip("candidates", sentence, shown, lambda e: candidate_pictures(lungs, e, find_candidates))


def organ_pictures(organ: Organ, example: Example) -> tuple[list[Named], str]:
    """Slices with the organ's outline, and its verdict."""
    example = worked_on(example)
    found = organ.find(example.array, _view(example))
    window = window_of(example)
    pictures = [
        (where, outlined(plane, [(found.labels if at is None else found.labels[at], INKS)], window))
        for where, plane, at in _cuts(example, found.mask if found.mask.any() else None)
    ]
    return pictures, _verdict(found)


def candidate_pictures(lungs: Organ, example: Example, find_candidates: FindCandidates) -> tuple[list[Named], str]:
    """Slices with lungs, candidates and, where it is known, the contoured lesion; and whether they agree."""
    example = worked_on(example)
    found = lungs.find(example.array, _view(example))
    if found.verdict == "refused":
        return [], _verdict(found)
    z, y, x = example.spacing_mm
    direction = example.direction or IDENTITY_DIRECTION
    image = Volume(example.array, (z, y, x), direction=direction, unit=example.unit)
    candidates = find_candidates(image, found.mask)
    every = np.zeros(found.labels.shape, dtype=np.uint8)
    for box, mask in candidates.masks():
        every[box] |= mask.astype(np.uint8)
    says = f"{len(candidates)} candidates"
    layers: list[Layer] = [(found.labels, INKS), (every, (CANDIDATE_INK,))]
    lesion = example.lesion if example.lesion is not None and example.lesion.any() else None
    if lesion is not None:
        number, agreement, best = _best(candidates, lesion)
        layers += [(best.astype(np.uint8), (INKS[1],)), (lesion.astype(np.uint8), (LESION_INK,))]
        says += f"; the contoured nodule (magenta) is candidate {number}, IoU {agreement:.2f}; "
        says += f"{100 * float(found.mask[lesion].mean()):.0f} % of it lie in the lungs"
    shown = every > 0 if lesion is None else lesion
    pictures: list[Named] = []
    for where, plane, at in _cuts(example, shown if shown.any() else None):
        cut = [(labels[at], inks) for labels, inks in layers]
        pictures.append((where, outlined(plane, cut, window_of(example))))
        if lesion is not None and lesion[at].any():
            rows, columns = _around(lesion[at], plane.spacing_mm)
            near = [(labels[rows, columns], inks) for labels, inks in cut]
            close = replace(plane, array=plane.array[rows, columns])
            pictures.append((f"{where}, close", outlined(close, near, window_of(example))))
    return pictures, says


def worked_on(example: Example) -> Example:
    """The whole example, averaged down where it is large, with its lesion."""
    most = MOST_VOXELS if len(example.spacing_mm) == 3 else (PICTURE_PIXELS,) * 2
    factors = tuple(max(1, -(-n // limit)) for n, limit in zip(example.array.shape, most, strict=False))
    spacing = tuple(s * f if example.has_scale else s for s, f in zip(example.spacing_mm, factors, strict=True))
    lesion = None if example.lesion is None else averaged(example.lesion.astype(np.float32), factors) >= 0.5
    return replace(example, array=averaged(example.array, factors), spacing_mm=spacing, lesion=lesion)


def outlined(plane: Example, layers: Sequence[Layer], window: Window) -> Picture:
    """A slice with the outlines of labels, in the inks of each layer."""
    shades = grey(plane.array.astype(np.float32), *window)
    coloured = np.array(shades if shades.ndim == 3 else np.stack([shades] * 3, axis=-1))
    wide = max(1, round(min(coloured.shape[:2]) / PIXELS_PER_LINE))
    for labels, inks in layers:
        for label, ink in enumerate(inks, start=1):
            mask = labels == label
            coloured[mask & ~ndimage.binary_erosion(mask, iterations=wide)] = ink
    return replace(draw(plane, window, Shown(())), uri=data_uri(coloured))


@cache
def generated(name: str) -> Example:
    """The generated image for an organ: a chest, a head or a picture; the same one each time."""
    from tasks.phantom import pictures
    from tasks.phantom.thorax import thorax

    rng = np.random.default_rng(5)
    if name in ("body", "lungs", "liver"):
        spacing = (5.0, 4.0, 4.0)
        chest = thorax(rng, shape=(58, 90, 90), spacing_mm=spacing, nodules=2)
        return Example("CT", 1, chest.hu.astype(np.float32), spacing, "HU", IDENTITY_DIRECTION)
    if name == "brain":
        spacing = (4.0, 2.0, 2.0)
        return Example("MR", 1, pictures.head(rng, spacing_mm=spacing).pixels, spacing, "arbitrary", IDENTITY_DIRECTION)
    draws = {
        "lungs_xray": pictures.frontal_chest,
        "breast_mammography": pictures.mammogram,
        "breast_ultrasound": pictures.ultrasound,
    }
    return Example(DRAWN.get(name, "picture"), 1, draws.get(name, pictures.fundus)(rng).pixels, (1.0, 1.0))


def _strip(
    name: str,
    sentence: str,
    shown: Sequence[tuple[str, Example]],
    made: Callable[[Example], tuple[list[Named], str]],
) -> Strip:
    started = time.perf_counter()
    pictures: list[Named] = []
    told: list[str] = []
    fault = ""
    for title, example in shown:
        try:
            found, says = made(example)
            pictures += [(f"{title}, {where}" if where else title, picture) for where, picture in found]
            told.append(f"{title}: {says}")
        except Exception as error:  # the page shows what became of each
            fault = f"{title}: {type(error).__name__}: {error}"
    titles = ", ".join(title for title, _ in shown)
    return Strip(name, sentence, titles, tuple(pictures), " · ".join(told), time.perf_counter() - started, fault)


def _cuts(example: Example, where: BoolArray | None) -> Iterator[tuple[str, Example, int | None]]:
    """Slices along what is shown, each with its number; the picture itself, which has none."""
    if len(example.spacing_mm) == 2:
        yield "", replace(example, lesion=None), None
        return
    slices = np.arange(len(example.array)) if where is None else np.flatnonzero(where.any(axis=(1, 2)))
    for k in sorted({int(slices[round(at * (len(slices) - 1))]) for at in (AT if where is not None else (0.5,))}):
        plane = np.ascontiguousarray(example.array[k])
        yield f"slice {k}", replace(example, array=plane, spacing_mm=example.spacing_mm[1:], lesion=None), k


def _around(mask: BoolArray, spacing_mm: tuple[float, ...]) -> tuple[slice, slice]:
    """The square around the middle of a mask in a slice, cut at its edges."""
    middle = np.argwhere(mask).mean(axis=0)
    half = [CLOSE_UP_MM / s for s in spacing_mm]
    rows, columns = (slice(max(0, round(m - h)), max(1, round(m + h))) for m, h in zip(middle, half, strict=True))
    return rows, columns


def _best(candidates: CandidateSet, lesion: BoolArray) -> tuple[int, float, BoolArray]:
    """Number, intersection over union, and mask of the candidate that agrees best with a lesion."""
    best, number, mask = -1.0, 0, np.zeros_like(lesion)
    for i, (box, piece) in enumerate(candidates.masks()):
        both = float((piece & lesion[box]).sum())
        agreement = both / (float(piece.sum()) + float(lesion.sum()) - both)
        if agreement > best:
            best, number, mask = agreement, i + 1, candidates.full_mask(i, lesion.shape)
    return number, best, mask


def _view(example: Example) -> View:
    return View.of(example.array, example.spacing_mm, unit=example.unit, direction=example.direction)


def _verdict(found: OrganMask) -> str:
    """The verdict with its reasons and figures; and which colour is which part."""
    reasons = f" ({'; '.join(remark.reason for remark in found.remarks)})" if found.remarks else ""
    measured = ", ".join(
        f"{100 * value:.1f} % of the picture" if name == "share" else f"{value:.2f} l"
        for name, value in found.figures.items()
        if name in ("share", "volume_l")
    )
    parts = ", ".join(f"{p} {c}" for p, c in zip(found.parts, COLOURS, strict=False)) if len(found.parts) > 1 else ""
    return ", ".join(part for part in (found.verdict + reasons, measured, parts) if part)


def _sentence(kind: type[Organ]) -> str:
    return (kind.__doc__ or "").split("\n")[0]
