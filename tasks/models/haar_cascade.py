"""The boosted cascade of Haar-like features as a trained detector (Viola & Jones 2004).

Beside models that classify rows of features (``build``) and networks that classify pictures (``build_network``) it is
the third kind of model, a *detector*: ``learn`` makes it from blocks of an image, and it looks for the object itself,
everywhere in a picture or a volume. Of patches (``learn_on_patches``) it learns from those on lesions (drawn without
jitter, so that the object fills the window) and from those in the background; the labels are those of
``tasks.imaging.patch_table``. In a study it does not search: it says of each candidate how far the window around its
middle comes (``score_patches``), and so competes with the other models.

What is learnt is plain data (`Detector`), kept as JSON: patterns, places, thresholds, weights. Nothing in it can run.
Viola & Jones 2004, doi:10.1023/B:VISI.0000013087.49260.fb.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from pydantic import BaseModel, Field, ValidationError, field_validator

from storage.errors import CaseError, StoreError
from tasks.imaging.cascade import Cascade
from tasks.imaging.cascade_learning import Aims, StageRecord
from tasks.imaging.step import Array
from tasks.settings import StageSettings

if TYPE_CHECKING:
    from tasks.imaging.integral_image import Floats
    from tasks.imaging.overlapping import Merged
    from tasks.imaging.patch_files import PatchSet

FORMAT: Literal[1] = 1
FORMS = ("2-D", "slices", "3-D")
"""Forms of patches that it learns from: windows of a picture or a volume."""


class Settings(StageSettings):
    """How a cascade learns, and how it looks."""

    kept: float = Field(default=0.99, gt=0, le=1, description="Share of objects that each stage lets pass, at least.")
    passed: float = Field(default=0.4, gt=0, lt=1, description="Share of false windows likewise, at most.")
    stages: int = Field(default=8, ge=1, description="Stages at most.")
    stumps: int = Field(default=40, ge=1, description="Features of a stage at most.")
    negatives: int = Field(default=2000, ge=1, description="False windows that a stage learns from, at most.")
    fewest: int = Field(default=20, ge=1, description="With fewer false windows left learning ends.")
    candidates: int = Field(default=4000, ge=1, description="Features that boosting chooses from, at most.")
    check_share: float = Field(
        default=0.0, ge=0, lt=1, description="Part of the groups of objects that only set thresholds; 0: all do both."
    )
    scales: tuple[float, ...] = Field(default=(1.0, 1.25, 1.5625), min_length=1, description="Of the object, from 1.")
    step: float = Field(default=1.0, gt=0, description="Voxels between windows at scale 1.")
    overlap: float = Field(default=0.5, gt=0, le=1, description="Share of the smaller of two windows: the same object.")
    neighbours: int = Field(default=2, ge=1, description="Windows that an object is found by, at least.")

    @field_validator("scales")
    @classmethod
    def _not_smaller(cls, scales: tuple[float, ...]) -> tuple[float, ...]:
        if min(scales) < 1:
            raise ValueError(f"expected scales from 1 on; got {min(scales):g}")
        return scales

    @property
    def aims(self) -> Aims:
        """What each stage has to reach."""
        return Aims.model_validate(self.model_dump(include=set(Aims.model_fields)))


class Detector(BaseModel, frozen=True, extra="forbid"):
    """A trained detector as plain data.

    Attributes
    ----------
    cascade
        What it asks of a window.
    settings
        How it learned, and how it looks.
    objects
        Blocks that it learned from.
    history
        How its stages came out.
    """

    format: Literal[1] = FORMAT
    cascade: Cascade
    settings: Settings
    objects: int
    history: tuple[StageRecord, ...]


def learn(
    objects: Array,
    backgrounds: Sequence[Array],
    settings: Settings,
    *,
    seed: int,
    groups: Sequence[str] | None = None,
) -> Detector:
    """Train a detector.

    Parameters
    ----------
    objects
        ``(n, y, x)`` or ``(n, z, y, x)``, finite: blocks that the object fills; their shape becomes the window's.
    backgrounds
        Pictures or volumes without the object, or patches of them, at least as large as a window.
    seed
        Of features and false windows that are drawn.
    groups
        Whose each object is, ``n`` patients; ``None``: each is a group of its own. Matters with ``check_share``.

    Raises
    ------
    ValueError
        When there are too few objects or too little background, or no feature tells them apart.
    """
    import numpy as np

    from tasks.imaging.cascade_learning import Examples, learn_cascade

    rng = np.random.default_rng(seed)
    checked = _checked(len(objects) if groups is None else groups, settings.check_share, rng)
    taught = ~checked if checked.any() else np.ones(len(objects), dtype=bool)
    examples = Examples(objects[taught], objects[checked if checked.any() else taught], backgrounds)
    cascade, history = learn_cascade(
        examples, settings.aims, candidates=settings.candidates, scales=settings.scales, step=settings.step, rng=rng
    )
    return Detector(cascade=cascade, settings=settings, objects=len(objects), history=history)


def learn_on_patches(sets: Sequence[PatchSet], settings: Settings, *, seed: int) -> Detector:
    """Train a detector on patches on disk: those drawn on lesions, and those without a voxel of a lesion.

    Patients are the groups. They are all in memory at once: windows are small.

    Parameters
    ----------
    sets
        One for each case, in an order that is always the same.

    Raises
    ------
    CaseError
        When these patches are too few, or no feature tells them apart.
    ValueError
        For patches of planes that cross each other.
    """
    import numpy as np

    if any(patches.facts.shape.form not in FORMS for patches in sets):
        raise ValueError(f"a cascade looks at blocks; expected patches of the form {', '.join(FORMS)}, got planes")
    objects, groups, backgrounds = [], [], []
    for patches in sets:
        images, lesion = np.asarray(patches.images[:]), patches.table["kind"].to_numpy() == "lesion"
        objects.append(images[lesion])
        groups += patches.table["patient"].to_numpy()[lesion].tolist()
        backgrounds += list(images[patches.table["label"].to_numpy() == 0])
    try:
        return learn(np.concatenate(objects), backgrounds, settings, seed=seed, groups=groups)
    except ValueError as error:
        raise CaseError(str(error)) from error


def find(detector: Detector, image: Array, *, threads: int | None = None) -> Merged:
    """Objects in a picture ``(y, x)`` or volume ``(z, y, x)``, the best first; windows of one object are merged.

    Scores are shares of votes, 0–1, and no probabilities.

    Raises
    ------
    ValueError
        When the image has another number of axes than the window.
    CaseError
        When it is not finite.
    """
    from tasks.imaging.cascade import scan
    from tasks.imaging.overlapping import merge_windows

    settings = detector.settings
    passed = scan(image, detector.cascade, scales=settings.scales, step=settings.step, threads=threads)
    return merge_windows(
        passed.starts, passed.sizes, passed.scores, overlap=settings.overlap, least=settings.neighbours
    )


def score_patches(detector: Detector, patches: Array) -> Floats:
    """How much each patch ``(n, …)`` of the window's shape looks like the object, 0–1, ``(n,)``.

    The share of all votes that it had got when a stage rejected it, or at the end: what passes more stages has more.
    """
    import numpy as np

    from tasks.imaging.boosting import votes
    from tasks.imaging.haar_features import HaarFeatures, haar_like

    cascade = detector.cascade
    features = HaarFeatures.of(cascade.shape, cascade.features, balanced=cascade.balanced)
    values = np.asarray(haar_like(np.asarray(patches, dtype=np.float64), features, by_contrast=True))
    asked, total = np.ones(len(values), dtype=bool), np.zeros(len(values))
    for stage in cascade.stages:
        found = votes(values, stage.stumps)
        total += np.where(asked, found, 0.0)
        asked &= found >= stage.threshold
    return np.asarray(total / sum(stump.weight for stump in cascade.stumps))


def save(path: Path, detector: Detector) -> None:
    """Write a detector as JSON."""
    path.write_text(detector.model_dump_json(indent=1), encoding="utf-8")


def load(path: Path) -> Detector:
    """Read a detector. Raises ``StoreError`` for a file that is absent, or holds something else."""
    try:
        return Detector.model_validate_json(path.read_bytes())
    except OSError as error:
        raise StoreError(f"{path.name} cannot be read: {error.strerror}") from error
    except ValidationError as error:
        raise StoreError(f"{path.name} is no detector of format {FORMAT}") from error


def _checked(groups: Sequence[str] | int, share: float, rng: Any) -> Any:
    """Which objects only check: those of a share of the groups, drawn."""
    import numpy as np

    names = np.arange(groups) if isinstance(groups, int) else np.asarray(groups)
    kinds, which = np.unique(names, return_inverse=True)
    drawn = rng.permutation(len(kinds))[: int(share * len(kinds))]
    return np.isin(which, drawn)
