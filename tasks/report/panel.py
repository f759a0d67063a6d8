"""Draws one case: planes through each finding and each missed lesion, small enough to travel inside a page.

One case is in memory at a time: the page is made from ``DrawnCase`` values, never from volumes.
"""

from __future__ import annotations

import base64
import io
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Literal

import numpy as np
from PIL import Image

from storage.finding import Finding
from storage.volume import Volume
from tasks.report.content import DrawnCase, DrawnPlane, Layer, Outcome, Outline, View
from tasks.report.overlay import (
    BoolArray,
    FloatArray,
    IntArray,
    Plane,
    PlaneName,
    Scene,
    close_up,
    cut,
    grey,
    limits,
    outlines,
    project,
    scale_bar_mm,
    scene,
    shrink,
)
from tasks.report.settings import Settings, Window

PLANES: tuple[PlaneName, ...] = ("axial", "coronal", "sagittal")
LOSSLESS_BYTES = 16_000
"""A picture whose PNG is smaller than this stays a PNG."""


@dataclass(frozen=True, eq=False)
class CasePanel:
    """One case with its arrays.

    Attributes
    ----------
    case, patient, image_name
        Pseudonyms, and the image's name in the study file.
    volume
        The image, in its physical unit.
    finding_labels, lesion_labels
        Label images on the volume's grid: ``Finding.number``, and 1 … for annotated lesions; ``None`` without any.
    findings
        Most confident first.
    outcome
        ``None`` where the case has no annotation.
    flags
        Quality flags of the case.
    """

    case: str
    patient: str
    image_name: str
    volume: Volume
    finding_labels: IntArray | None = None
    lesion_labels: IntArray | None = None
    findings: tuple[Finding, ...] = ()
    outcome: Outcome | None = None
    flags: tuple[str, ...] = ()


@dataclass(frozen=True)
class _Target:
    """A place to look at."""

    kind: Literal["finding", "missed", "middle"]
    number: int
    position_mm: tuple[float, float, float]
    extent_mm: float
    caption: str


@dataclass(frozen=True)
class _Inks:
    """How grey values become image bytes: windows with their limits, and how hard to compress."""

    windows: tuple[tuple[Window, float, float], ...]
    maximum_pixels: int
    quality: int

    def layers(self, pixels: FloatArray) -> tuple[Layer, ...]:
        small = shrink(pixels, self.maximum_pixels)
        return tuple(
            Layer(window=window.name, uri=_data_uri(grey(small, low, high, inverted=window.inverted), self.quality))
            for window, low, high in self.windows
        )


def draw_case(panel: CasePanel, settings: Settings) -> DrawnCase:
    """Draw one case.

    Parameters
    ----------
    panel
        The case with its arrays.
    settings
        Windows, number and size of the pictures.

    Returns
    -------
    DrawnCase
        Every finding is listed; pictures go to findings first, at least half of them to missed lesions if there are any
        (``maximum_overlays_per_case``). JPEG quality, then size, step down until the pictures weigh at most
        ``case_kilobytes``; after the last step they stay as they are.

    Raises
    ------
    ValueError
        A label image is not on the volume's grid.
    """
    case = scene(panel.volume, panel.finding_labels, panel.lesion_labels)
    windows = settings.windows(panel.volume.unit)
    scales = tuple((w, low, high) for w, (low, high) in zip(windows, limits(case.volume, windows), strict=True))
    targets = _targets(panel)
    chosen = _choose(targets, settings.maximum_overlays_per_case) or [_middle(panel.volume)]
    planes = {target: _planes(case, target, settings.close_up_mm) for target in chosen}
    overview = project(case, "coronal", chosen[0].position_mm) if panel.volume.unit == "SUV" else None
    for share, quality in ((1.0, 90), (1.0, 80), (0.85, 75), (0.7, 70), (0.55, 65)):
        inks = _Inks(scales, max(64, int(settings.maximum_pixels * share)), quality)
        views = tuple(_view(panel.case, target, planes[target], inks) for target in chosen)
        projection = None if overview is None else _draw(overview, inks, "Coronal projection", panel.case, None)
        drawn = [plane for view in views for plane in view.planes] + ([projection] if projection else [])
        if _weight(drawn) <= settings.case_kilobytes * 1000:
            break
    return DrawnCase(
        case=panel.case,
        patient=panel.patient,
        image=panel.image_name,
        image_summary=_summary(panel.volume),
        windows=tuple(window.name for window in windows),
        findings=panel.findings,
        outcome=panel.outcome,
        flags=panel.flags,
        views=views,
        overview=projection,
        undrawn=max(0, len(targets) - len(chosen)),
    )


def _targets(panel: CasePanel) -> list[_Target]:
    """Findings, then missed lesions."""
    verdicts = panel.outcome.verdicts if panel.outcome else {}
    found = [_finding_target(finding, verdicts.get(finding.number)) for finding in panel.findings]
    missed = panel.outcome.missed if panel.outcome else ()
    if panel.lesion_labels is None:
        return found
    targets = (_lesion_target(panel.volume, panel.lesion_labels == label, label) for label in missed)
    return found + [target for target in targets if target is not None]


def _choose(targets: list[_Target], maximum: int) -> list[_Target]:
    found = [target for target in targets if target.kind == "finding"]
    missed = [target for target in targets if target.kind == "missed"]
    for_missed = min(len(missed), max(maximum - len(found), (maximum + 1) // 2))
    return found[: maximum - for_missed] + missed[:for_missed]


def _finding_target(finding: Finding, verdict: str | None) -> _Target:
    words = [f"confidence {finding.confidence:.2f}", f"{finding.long_axis_mm:.0f} × {finding.short_axis_mm:.0f} mm"]
    words.append(f"{finding.volume_ml:.3g} ml")
    if verdict:
        words.append({"near": "counted neither as hit nor as false positive"}.get(verdict, verdict))
    return _Target("finding", finding.number, finding.position_mm, finding.long_axis_mm, " · ".join(words))


def _lesion_target(volume: Volume, mask: BoolArray, label: int) -> _Target | None:
    """The voxel of a lesion nearest to its centre of mass: the centre itself can lie outside."""
    index = np.argwhere(mask)
    if index.size == 0:
        return None
    world = volume.to_world_mm(index)
    nearest = world[int(np.argmin(np.square(world - world.mean(axis=0)).sum(axis=1)))]
    extent = float(np.max(np.ptp(world, axis=0)))
    x, y, z = (float(value) for value in nearest)
    caption = f"annotated, not found · {len(index) * volume.voxel_ml:.3g} ml · {extent:.0f} mm"
    return _Target("missed", label, (x, y, z), extent, caption)


def _middle(volume: Volume) -> _Target:
    x, y, z = volume.to_world_mm([(n - 1) // 2 for n in volume.shape]).tolist()
    return _Target("middle", 0, (x, y, z), 0.0, "middle of the image")


def _planes(case: Scene, target: _Target, close_up_mm: float) -> list[Plane]:
    """Three sections, and an axial close-up where it enlarges anything."""
    planes = [cut(case, name, target.position_mm) for name in PLANES]
    side = max(close_up_mm, 1.6 * target.extent_mm)
    if target.kind != "middle" and side < 0.75 * max(planes[0].size_mm):
        planes.append(close_up(planes[0], side))
    return planes


def _view(case: str, target: _Target, planes: list[Plane], inks: _Inks) -> View:
    focus = None if target.kind == "middle" else (target.kind, target.number)
    titles = [plane.name.capitalize() for plane in planes[:3]] + ["Axial, close-up"]
    width, height = planes[0].size_mm
    depth = planes[1].size_mm[1]
    x, y = planes[0].mark_mm
    outside = not (0 <= x <= width and 0 <= y <= height and 0 <= planes[1].mark_mm[1] <= depth)
    return View(
        kind=target.kind,
        number=target.number,
        caption=target.caption,
        position_mm=target.position_mm,
        outside=outside,
        planes=tuple(_draw(plane, inks, title, case, focus) for plane, title in zip(planes, titles, strict=False)),
    )


def _draw(plane: Plane, inks: _Inks, title: str, case: str, focus: tuple[str, int] | None) -> DrawnPlane:
    width, height = plane.size_mm
    x, y = plane.mark_mm
    subject = {"finding": "finding", "missed": "missed lesion"}[focus[0]] + f" {focus[1]}" if focus else "the image"
    return DrawnPlane(
        title=title,
        description=f"{title} view of {subject}, case {case}: {width:.0f} by {height:.0f} mm, {plane.left} at the left, "
        f"{plane.top} at the top",
        width=round(width, 3),
        height=round(height, 3),
        layers=inks.layers(plane.pixels),
        findings=tuple(_outlines(plane.findings, plane.pixel_mm, focus, "finding")),
        lesions=tuple(_outlines(plane.lesions, plane.pixel_mm, focus, "missed")),
        mark=(round(x, 2), round(y, 2)) if focus and 0 <= x <= width and 0 <= y <= height else None,
        letters=(plane.top, plane.right, plane.bottom, plane.left),
        scale_bar=scale_bar_mm(width),
    )


def _outlines(
    masks: Mapping[int, BoolArray], pixel_mm: tuple[float, float], focus: tuple[str, int] | None, kind: str
) -> Iterable[Outline]:
    for number, mask in masks.items():
        rings = outlines(mask, pixel_mm)
        # "M" starts a ring, the pairs that follow are its corners, "Z" closes it.
        path = "".join("M" + " ".join(f"{x:.2f},{y:.2f}" for x, y in ring[:-1]) + "Z" for ring in rings)
        x, y = max((float(x), float(y)) for ring in rings for x, y in ring)
        yield Outline(number=number, path=path, at=(round(x, 2), round(y, 2)), focus=focus == (kind, number))


def _data_uri(pixels: np.ndarray[tuple[int, ...], np.dtype[np.uint8]], quality: int) -> str:
    """PNG while that is small, JPEG otherwise: noise does not compress without loss."""
    picture = Image.fromarray(pixels)
    data, kind = _encoded(picture, "PNG", optimize=True), "png"
    if len(data) > LOSSLESS_BYTES:
        data, kind = _encoded(picture, "JPEG", quality=quality, optimize=True), "jpeg"
    return f"data:image/{kind};base64,{base64.b64encode(data).decode('ascii')}"


def _encoded(picture: Image.Image, kind: str, **options: int) -> bytes:
    buffer = io.BytesIO()
    picture.save(buffer, kind, **options)
    return buffer.getvalue()


def _weight(planes: Iterable[DrawnPlane]) -> int:
    return sum(len(layer.uri) for plane in planes for layer in plane.layers)


def _summary(volume: Volume) -> str:
    slices, rows, columns = volume.shape
    spacing = " × ".join(f"{value:.3g}" for value in reversed(volume.spacing_mm))
    return f"{columns} × {rows} × {slices} voxels of {spacing} mm, {volume.unit}"
