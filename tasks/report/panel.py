"""Draws one case: planes through each finding and each missed lesion, small enough to travel inside a page.

One case is in memory at a time: the page is made from ``DrawnCase`` values, never from volumes.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from storage.volume import Volume
from tasks.report.drawn import DrawnCase, DrawnPlane, Outline, View
from tasks.report.greyscale import STEPS, Inks, limits
from tasks.report.overlay import (
    BoolArray,
    Plane,
    PlaneName,
    Scene,
    close_up,
    cut,
    outlines,
    project,
    scale_bar_mm,
    scene,
)
from tasks.report.settings import Settings
from tasks.report.targets import CasePanel, Target, choose, list_targets, middle

PLANES: tuple[PlaneName, ...] = ("axial", "coronal", "sagittal")


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
        Every finding is listed; ``maximum_overlays_per_case`` of findings and missed lesions get pictures. JPEG
        quality, then size, step down until the pictures weigh at most ``case_kilobytes``; after the last step they stay
        as they are.

    Raises
    ------
    ValueError
        A label image is not on the volume's grid.
    """
    case = scene(panel.volume, panel.finding_labels, panel.lesion_labels)
    windows = settings.windows(panel.volume.unit)
    scales = tuple((w, low, high) for w, (low, high) in zip(windows, limits(case.volume, windows), strict=True))
    wanted = choose(list_targets(panel), settings.maximum_overlays_per_case)
    chosen = wanted or [middle(panel.volume)]
    planes = {target: _planes(case, target, settings.close_up_mm) for target in chosen}
    overview = project(case, "coronal", chosen[0].position_mm) if panel.volume.unit == "SUV" else None
    for share, quality, lossless_bytes in STEPS:
        inks = Inks(scales, max(64, int(settings.maximum_pixels * share)), quality, lossless_bytes)
        views = tuple(_view(panel.case, target, planes[target], inks) for target in chosen)
        projection = None if overview is None else draw_plane(overview, inks, "Coronal projection", panel.case, None)
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
        undrawn=len(panel.findings) + len(panel.outcome.missed if panel.outcome else ()) - len(wanted),
    )


def _planes(case: Scene, target: Target, close_up_mm: float) -> list[Plane]:
    """Three sections, and an axial close-up where it enlarges anything."""
    planes = [cut(case, name, target.position_mm) for name in PLANES]
    side = max(close_up_mm, 1.6 * target.extent_mm)
    if target.kind != "middle" and side < 0.75 * max(planes[0].size_mm):
        planes.append(close_up(planes[0], side))
    return planes


def _view(case: str, target: Target, planes: list[Plane], inks: Inks) -> View:
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
        planes=tuple(draw_plane(plane, inks, title, case, focus) for plane, title in zip(planes, titles, strict=False)),
    )


def draw_plane(plane: Plane, inks: Inks, title: str, case: str, focus: tuple[str, int] | None) -> DrawnPlane:
    """A plane ready to be shown; ``focus``: ``"finding"`` or ``"missed"``, and the label that stands out."""
    width, height = plane.size_mm
    x, y = plane.mark_mm
    subject = {"finding": "finding", "missed": "missed lesion"}[focus[0]] + f" {focus[1]}" if focus else "the image"
    return DrawnPlane(
        title=title,
        description=f"{title} view of {subject}, case {case}: {width:.0f} by {height:.0f} mm, "
        f"{plane.left} at the left, {plane.top} at the top",
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


def _weight(planes: Iterable[DrawnPlane]) -> int:
    return sum(len(layer.uri) for plane in planes for layer in plane.layers)


def _summary(volume: Volume) -> str:
    slices, rows, columns = volume.shape
    spacing = " × ".join(f"{value:.3g}" for value in reversed(volume.spacing_mm))
    return f"{columns} × {rows} × {slices} voxels of {spacing} mm, {volume.unit}"
