"""The rules that a detector is compared with, by name; they go through the same matching as its findings.

Rules that do not look (``centre``, ``box``, ``random_point``) or hardly (``box_suv_1``) show what a crop, or the size
and place of a usual lesion, give away. A detector that does not beat them has learned nothing from the image.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import get_args

import numpy as np

from storage.volume import Volume
from tasks.evaluate.blind import central_sphere, inner_region, inner_region_above, random_sphere
from tasks.evaluate.matching import ScoredRegions
from tasks.evaluate.settings import BaselineName, Settings
from tasks.evaluate.thresholds import above_local_fraction, above_suv, tissue_in_lung
from tasks.imaging.morphology import BoolArray


@dataclass(frozen=True, eq=False)
class Scene:
    """What a rule may know of a case.

    Attributes
    ----------
    image
        On its own grid, in HU, SUV or arbitrary units.
    body
        Boolean, same shape.
    digest
        Hex digest of the case: seeds what is random.
    sphere_ml
        Median volume of the lesions of the fold's training patients; ``None`` where these have none.
    """

    image: Volume
    body: BoolArray
    digest: str
    sphere_ml: float | None

    def __post_init__(self) -> None:
        """Refuse what cannot be one scene."""
        if self.body.shape != self.image.shape or self.body.dtype != bool:
            raise ValueError(f"expected a boolean body of {self.image.shape}; got {self.body.dtype} {self.body.shape}")
        if self.sphere_ml is not None and not self.sphere_ml > 0:
            raise ValueError(f"sphere_ml must be positive or None; got {self.sphere_ml}")


@dataclass(frozen=True)
class Baseline:
    """A rule, the unit that it needs (``None``: any), and what the report says of it."""

    unit: str | None
    says: str
    rule: Callable[[Scene, Settings], ScoredRegions]


def _suv(threshold: float) -> Baseline:
    return Baseline(
        "SUV", f"components above SUV {threshold}", lambda scene, s: above_suv(scene.image, scene.body, threshold, s)
    )


def _random_point(scene: Scene, settings: Settings) -> ScoredRegions:
    rng = np.random.default_rng([settings.seed, int(scene.digest, 16)])
    return random_sphere(scene.image, scene.body, scene.sphere_ml, rng)


BASELINES: dict[BaselineName, Baseline] = {
    "suv_2.0": _suv(2.0),
    "suv_2.5": _suv(2.5),
    "suv_4.0": _suv(4.0),
    "local_41": Baseline(
        "SUV", "41 % of each candidate's own maximum", lambda c, s: above_local_fraction(c.image, c.body, s)
    ),
    "threshold": Baseline("HU", "tissue inside the lung", lambda c, s: tissue_in_lung(c.image, c.body, s)),
    "centre": Baseline(None, "sphere at the centre of the image", lambda c, _: central_sphere(c.image, c.sphere_ml)),
    "box": Baseline(None, "image minus a margin", lambda c, s: inner_region(c.image, s.box_margin_mm)),
    "box_suv_1": Baseline(
        "SUV",
        "image minus a margin, above SUV 1",
        lambda c, s: inner_region_above(c.image, c.body, s.box_suv_margin_mm, 1.0),
    ),
    "random_point": Baseline(None, "sphere at a random point of the body", _random_point),
}


def baselines_for(unit: str, settings: Settings) -> tuple[BaselineName, ...]:
    """Names of the rules to run on images of this unit, in the order of `BASELINES`.

    Raises
    ------
    ValueError
        When the settings name a rule that needs another unit.
    """
    suited = tuple(name for name, baseline in BASELINES.items() if baseline.unit in (None, unit))
    if settings.baselines == "auto":
        return suited
    for name in settings.baselines:
        if name not in suited:
            raise ValueError(f"baseline {name!r} needs {BASELINES[name].unit}; the images are in {unit}; {suited} suit")
    return tuple(name for name in suited if name in settings.baselines)


def run_baseline(
    name: BaselineName, scene: Scene, settings: Settings, *, max_findings: int | None = None
) -> ScoredRegions:
    """What one rule says of one case: regions from the highest score down, the first `max_findings` of them accepted.

    ``None`` accepts all: a rule without training has no operating point of its own.
    """
    if name not in BASELINES:
        raise ValueError(f"unknown baseline {name!r}; the choices are {get_args(BaselineName)}")
    baseline = BASELINES[name]
    if baseline.unit not in (None, scene.image.unit):
        raise ValueError(f"baseline {name!r} needs {baseline.unit}; the image is in {scene.image.unit}")
    regions = baseline.rule(scene, settings)
    if max_findings is None:
        return regions
    return replace(regions, accepted=np.arange(len(regions.scores)) < max_findings)
