"""A detector of objects as plain data: an attentional cascade of boosted Haar-like features, and the scan of an image.

Each *stage* is a sum of votes of stumps; a window whose sum stays below the stage's threshold is rejected at once, so
that nearly all windows of an image cost a few sums of boxes. The object is looked for at several *scales*: it is the
features that grow, not the image that shrinks, so that one integral image serves all.

Values of features are those of :func:`tasks.imaging.haar_features.haar_like` with ``by_contrast``: of the window less
its mean, over its standard deviation and number of voxels.

References
----------
Viola & Jones 2004, doi:10.1023/B:VISI.0000013087.49260.fb, sections 4 and 5
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np
import numpy.typing as npt
from pydantic import BaseModel, model_validator

from storage.errors import CaseError
from tasks.imaging.boosting import Stump
from tasks.imaging.haar_features import HaarFeatures, Placed
from tasks.imaging.haar_patterns import Integers, taps
from tasks.imaging.integral_image import Floats, contrast_integrals
from tasks.imaging.step import Array
from tasks.threads import over_slabs

ROUNDING = 64 * np.finfo(np.float64).eps
"""A window's sum of squared deviations is lost in rounding below this share of the whole image's sum of squares."""


class Stage(BaseModel, frozen=True, extra="forbid"):
    """Stumps, and the sum of the weights of their votes that lets a window pass."""

    stumps: tuple[Stump, ...]
    threshold: float


class Cascade(BaseModel, frozen=True, extra="forbid"):
    """A detector.

    Attributes
    ----------
    shape
        Of the window at scale 1, ``(y, x)`` or ``(z, y, x)`` in voxels.
    features
        What the stumps' ``feature`` counts.
    balanced
        Whether the middle one of three boxes counts twice.
    stages
        In the order in which a window meets them: the cheapest first.
    """

    shape: tuple[int, ...]
    features: tuple[Placed, ...]
    balanced: bool = False
    stages: tuple[Stage, ...]

    @model_validator(mode="after")
    def _complete(self) -> Self:
        HaarFeatures.of(self.shape, self.features, balanced=self.balanced)
        if not self.stages or not all(stage.stumps for stage in self.stages):
            raise ValueError("expected at least one stage, each of at least one stump")
        if unknown := [s.feature for s in self.stumps if not 0 <= s.feature < len(self.features)]:
            raise ValueError(f"stumps ask for the features {unknown}; there are {len(self.features)}")
        return self

    @property
    def stumps(self) -> tuple[Stump, ...]:
        """Of all stages, in their order."""
        return tuple(stump for stage in self.stages for stump in stage.stumps)


@dataclass(frozen=True, eq=False)
class Windows:
    """The windows that passed all stages, by scale and in scan order. Neighbours of one object all do.

    Attributes
    ----------
    starts, sizes
        First voxel and voxels along each axis of the image, ``(m, 2)`` or ``(m, 3)``.
    scores
        Share of the weights of all stumps that voted for the object, 0–1, ``(m,)``.
    scanned
        Windows looked at.
    asked
        Stumps asked, over all of them.
    """

    starts: Integers
    sizes: Integers
    scores: Floats
    scanned: int
    asked: int


def scan(
    image: Array, cascade: Cascade, *, scales: Sequence[float] = (1.0,), step: float = 1.0, threads: int | None = None
) -> Windows:
    """Look for the object everywhere in a picture or volume.

    Parameters
    ----------
    image
        ``(y, x)`` or ``(z, y, x)`` as the cascade's window, of any real type, finite.
    scales
        Sizes of the object relative to the cascade's window, from 1 on. Boxes are rounded to voxels, and what they give
        is weighed as if they were not.
    step
        From one window to the next, in voxels at scale 1; it grows with the scale.
    threads
        ``None``: the budget of this process. The result does not depend on it.

    Raises
    ------
    ValueError
        When the image has another number of axes, for a scale below 1, and for a step that is not positive.
    CaseError
        When the image is not finite.
    """
    if image.ndim != len(cascade.shape):
        raise ValueError(f"expected an image of {len(cascade.shape)} axes; got {image.shape}")
    if min(scales, default=1.0) < 1 or step <= 0:
        raise ValueError(
            f"expected scales from 1 on and a positive step; got {min(scales, default=1.0):g} and {step:g}"
        )
    integrals = contrast_integrals(image.reshape((1,) * (3 - image.ndim) + image.shape))
    if not np.isfinite(integrals[1][-1, -1, -1]):
        raise CaseError("expected finite intensities in the image that is scanned")
    nothing = np.zeros((0, 3), dtype=np.int64)
    found = [Windows(nothing, nothing, np.zeros(0), 0, 0)]
    found += [_scan_at(integrals, cascade, scale, step, threads) for scale in scales]
    axes = slice(3 - image.ndim, None)
    return Windows(
        np.concatenate([one.starts for one in found])[:, axes],
        np.concatenate([one.sizes for one in found])[:, axes],
        np.concatenate([one.scores for one in found]),
        sum(one.scanned for one in found),
        sum(one.asked for one in found),
    )


def _scan_at(
    integrals: tuple[Floats, Floats], cascade: Cascade, scale: float, step: float, threads: int | None
) -> Windows:
    """The windows that pass at one scale, along all three axes."""
    from tasks.imaging.kernels.cascade import scan_rows

    flat = (1,) * (3 - len(cascade.shape))
    window = np.array(flat + tuple(round(n * scale) for n in cascade.shape), dtype=np.int64)
    steps = np.full(3, max(1, round(step * scale)), dtype=np.int64)
    room = np.array(integrals[0].shape) - 1 - window
    grid = tuple(int(n) for n in np.where((room >= 0).all(), room // steps + 1, 0))
    scores, asked = np.empty(grid, np.float32), np.zeros(grid[:2], np.int64)
    sums, squares = integrals
    tiny = float(ROUNDING * squares[-1, -1, -1])
    corners, stumps, stages = _corners(cascade, scale, window, sums.shape), _stumps(cascade), _stages(cascade)
    over_slabs(
        lambda start, stop: scan_rows(
            sums, squares, window, steps, tiny, corners, stumps, stages, scores, asked, start, stop
        ),
        asked.size,
        threads,
    )
    at = np.argwhere(~np.isnan(scores))
    shares = scores[tuple(at.T)].astype(np.float64)
    return Windows(at * steps, np.tile(window, (len(at), 1)), shares, scores.size, int(asked.sum()))


def _corners(
    cascade: Cascade, scale: float, window: Integers, shape: tuple[int, ...]
) -> tuple[Integers, Integers, Floats, Floats]:
    """Where the stumps read an integral image of this shape at a scale; see :func:`scan_rows`."""
    features = HaarFeatures.of(cascade.shape, cascade.features, balanced=cascade.balanced)
    first, places, weights = taps(balanced=cascade.balanced)
    unscaled = 3 - len(cascade.shape)
    starts, offsets, weighs, net = [0], [], [], []
    for stump in cascade.stumps:
        read = slice(first[features.pattern[stump.feature]], first[features.pattern[stump.feature] + 1])
        boxes, at, size = places[read].max(axis=0), features.at[stump.feature], features.size[stump.feature]
        factor = np.where(np.arange(3) < unscaled, 1.0, scale)
        grown = np.minimum(np.rint(size * factor).astype(np.int64), window // boxes)
        moved = np.minimum(np.rint(at * factor).astype(np.int64), window - boxes * grown)
        corner = moved + places[read] * grown
        offsets.append((corner[:, 0] * shape[1] + corner[:, 1]) * shape[2] + corner[:, 2])
        weighs.append(weights[read] * size.prod() / grown.prod() / np.prod(cascade.shape))
        starts.append(starts[-1] + len(corner))
        ones = corner.prod(axis=1).astype(np.float64)
        net.append(float(weighs[-1] @ ones))
    return np.array(starts, dtype=np.int64), np.concatenate(offsets), np.concatenate(weighs), np.array(net)


def _stumps(cascade: Cascade) -> tuple[Floats, npt.NDArray[np.bool_], Floats]:
    stumps = cascade.stumps
    return (
        np.array([stump.threshold for stump in stumps]),
        np.array([stump.polarity > 0 for stump in stumps]),
        np.array([stump.weight for stump in stumps]),
    )


def _stages(cascade: Cascade) -> tuple[Integers, Floats]:
    counts = np.cumsum([0, *(len(stage.stumps) for stage in cascade.stages)], dtype=np.int64)
    return counts, np.array([stage.threshold for stage in cascade.stages])
