"""Lung nodules: where they may grow, and how they look."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np

from storage.volume import Triple
from tasks.phantom.anatomy import Anatomy
from tasks.phantom.canvas import Canvas
from tasks.phantom.ellipsoid import Ellipsoid, FloatArray, Matrix3
from tasks.phantom.organs import LungTrees

NoduleKind = Literal["solitary", "juxtapleural", "vessel"]

KINDS: tuple[NoduleKind, ...] = ("solitary", "juxtapleural", "vessel")
KEEP_APART_MM = 10.0
TRIES = 4000


@dataclass(frozen=True)
class Nodule:
    """One solid nodule.

    Attributes
    ----------
    ellipsoid
        Its exact shape in LPS mm.
    hu
        Mean attenuation in HU.
    kind
        ``"solitary"``: lung all around. ``"juxtapleural"``: grows from the pleura. ``"vessel"``: sits on a vessel.
    """

    ellipsoid: Ellipsoid
    hu: float
    kind: NoduleKind


def place_nodules(
    rng: np.random.Generator,
    canvas: Canvas,
    anatomy: Anatomy,
    trees: LungTrees,
    *,
    count: int,
    diameter_mm: tuple[float, float],
) -> tuple[Nodule, ...]:
    """Draw nodules in the lungs, apart from each other, whole within the canvas and off the hilar vessels.

    Parameters
    ----------
    rng
        Draws size (log-uniform), shape (each semi-axis within about 15 % of the mean), kind (the kinds take turns),
        attenuation and place.
    canvas, anatomy, trees
        The patient.
    count
        How many.
    diameter_mm
        Smallest and largest diameter of the sphere of the same volume.

    Raises
    ------
    ValueError
        When no place is found, e.g. since the canvas shows too little of the lungs.
    """
    placed: list[Nodule] = []
    order = rng.permutation(len(KINDS))
    for number in range(count):
        kind = KINDS[int(order[number % len(KINDS)])]
        diameter = float(np.exp(rng.uniform(*np.log(diameter_mm))))
        semi_axes, axes = _shape(rng, diameter / 2.0)
        hu = float(rng.uniform(-50.0, 80.0))
        for _ in range(TRIES):
            x, y, z = canvas.to_world_mm(_candidate(rng, kind, trees, diameter / 2.0 / float(canvas.scale.mean())))
            ellipsoid = Ellipsoid((float(x), float(y), float(z)), semi_axes, axes)
            if _fits(ellipsoid, kind, canvas, anatomy, trees, placed):
                placed.append(Nodule(ellipsoid, hu, kind))
                break
        else:
            raise ValueError(
                f"expected room for {count} nodules of {diameter_mm} mm in the lungs shown; found it for {len(placed)}"
            )
    return tuple(placed)


def _shape(rng: np.random.Generator, radius_mm: float) -> tuple[Triple, Matrix3]:
    """Semi-axes around a radius, of exactly its volume, and a random orientation."""
    ratio = np.exp(rng.normal(0.0, 0.08, 3).clip(-0.15, 0.15))
    a, b, c = radius_mm * ratio / np.prod(ratio) ** (1.0 / 3.0)
    u, v, w = np.linalg.qr(rng.normal(size=(3, 3)))[0].tolist()
    return (float(a), float(b), float(c)), (tuple(u), tuple(v), tuple(w))


def _candidate(rng: np.random.Generator, kind: NoduleKind, trees: LungTrees, radius: float) -> FloatArray:
    """A reference position to try: beside a vessel, or anywhere in the chest."""
    if kind != "vessel":
        return rng.uniform((-135.0, -95.0, -115.0), (135.0, 90.0, 130.0))
    tubes = trees.arteries[int(rng.integers(2))]
    thick = np.flatnonzero((tubes.start_radius > 1.1) & (tubes.start_radius < 3.0))
    i = int(rng.choice(thick))
    aside = rng.normal(size=3)
    return np.asarray(tubes.end[i] + aside / np.linalg.norm(aside) * (0.9 * radius + tubes.end_radius[i]))


def _fits(
    ellipsoid: Ellipsoid, kind: NoduleKind, canvas: Canvas, anatomy: Anatomy, trees: LungTrees, placed: list[Nodule]
) -> bool:
    """Whether a nodule of this kind may grow here."""
    surface = ellipsoid.surface()
    index = canvas.volume.to_index(surface)
    if np.any(index < 1.0) or np.any(index > np.asarray(canvas.hu.shape) - 2.0):
        return False
    if np.ceil(index[:, 0].min()) > np.floor(index[:, 0].max()):
        return False  # It lies between two slices: nobody could contour it.
    x, y, z = canvas.to_patient(surface).T.astype(np.float32)
    lungs = anatomy.lungs(x, y, z)
    if kind == "juxtapleural":
        # It pokes a little through the pleura, and only where ribs lie behind: not into the mediastinum.
        outside = float(np.mean(lungs > 0.0))
        if not 0.03 < outside < 0.18 or np.any(anatomy.cage(x, y, z)[lungs > 0.0] < -2.0):
            return False
    elif lungs.max() > (-1.0 if kind == "vessel" else -3.0):
        return False
    reach = max(ellipsoid.semi_axes_mm)
    centre = np.asarray(ellipsoid.center_mm)
    for other in placed:
        gap = np.linalg.norm(centre - other.ellipsoid.center_mm) - reach - max(other.ellipsoid.semi_axes_mm)
        if gap < KEEP_APART_MM:
            return False
    return _clear_of_hilum(canvas, trees, centre, reach)


def _clear_of_hilum(canvas: Canvas, trees: LungTrees, centre_mm: FloatArray, reach_mm: float) -> bool:
    """Whether no vessel wider than 6 mm passes within 2 mm: such a nodule would be part of the hilum."""
    for tubes in (*trees.arteries, *trees.veins):
        wide = tubes.start_radius > 3.0
        for end in (tubes.start[wide], tubes.end[wide]):
            distance = np.linalg.norm(canvas.to_world_mm(end) - centre_mm, axis=1)
            if np.any(distance < reach_mm + tubes.start_radius[wide] + 2.0):
                return False
    return True
