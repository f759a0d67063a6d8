"""What generated images are worth, judged in a feature space: are they copies, are they real enough, of all kinds.

Every function takes features, one row an image, of *training* images (what the generator learned from), *held-out* real
images (what it never saw), and *synthetic* ones; distances are Euclidean, so the columns should be on one scale.

- **Memorization.** A generator that knows the training images by heart makes images whose nearest real image is a
  training image more often than chance has it. Chance is known exactly: had the generator learned the distribution
  alone, training and held-out images could be exchanged. So the test exchanges them, whole groups at a time (a
  permutation test). A synthetic image counts the more, the more its nearest real image stands out from the second: a
  copy stands out by far. Smooth images, which are no copies, lie near to training and held-out images alike; that is
  different for the three-sample test of Meehan et al. (2020, arXiv:2004.05675), which compares
  the distance from synthetic to training images with that from held-out to training images; it is given beside it.
- **Precision and recall** (Kynkäänniemi et al. 2019, arXiv:1904.06991): the share of synthetic images within the
  neighbourhoods of real ones, and of real images within those of synthetic ones.
- **Density and coverage** (Naeem et al. 2020, arXiv:2002.09797): the same, less moved by single outliers.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from tasks.metrics.intervals import Interval, clopper_pearson

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]

MOST_OUTSTANDING = 100.0
"""A ratio of distances beyond this is no more of a witness."""
SURE = 0.01
"""Below this p a generator counts as one that copies."""


@dataclass(frozen=True)
class Memorization:
    """Whether synthetic images are copies.

    Attributes
    ----------
    nearest_training
        Share of synthetic images whose nearest real image is a training image, each weighted by how much that one
        stands out: the logarithm of the ratio of the distances to the second nearest and the nearest group.
    expected
        The same by chance, the mean over the exchanges.
    p
        One-sided: how often chance gives such a share or more.
    ct, ct_p
        The three-sample statistic, a z-score: far below 0 where synthetic images lie closer to training images than
        held-out images do; and its one-sided p. Smooth images lie closer without being copies.
    training, held_out, synthetic
        Images.
    """

    nearest_training: float
    expected: float
    p: float
    ct: float
    ct_p: float
    training: int
    held_out: int
    synthetic: int

    @property
    def copies(self) -> bool:
        """Whether chance does not explain it."""
        return self.p < SURE


@dataclass(frozen=True)
class Fidelity:
    """Precision, recall, density and coverage; the intervals of the shares take the other set as given.

    ``density`` is no share: 1 is expected where both sets come from one distribution.
    """

    precision: float
    precision_interval: Interval
    recall: float
    recall_interval: Interval
    density: float
    coverage: float
    coverage_interval: Interval
    neighbours: int
    real: int
    synthetic: int


def memorization(
    training: FloatArray,
    held_out: FloatArray,
    synthetic: FloatArray,
    *,
    groups: npt.ArrayLike | None = None,
    draws: int = 2000,
    seed: int = 0,
) -> Memorization:
    """Test whether synthetic images are copies of training images.

    Parameters
    ----------
    training, held_out, synthetic
        ``(n, features)``, of one class each time: exchanged images must be of one kind.
    groups
        Of the training images, then of the held-out ones, ``(n + m,)``: a patient's images are exchanged together.
        ``None``: each is its own.

    Raises
    ------
    ValueError
        When one of the three is empty, the columns differ, or a value is not finite.
    """
    _check(training, held_out, synthetic)
    real = np.concatenate([training, held_out])
    member = np.arange(len(real)) if groups is None else np.unique(np.asarray(groups), return_inverse=True)[1]
    if len(member) != len(real):
        raise ValueError(f"expected a group for each of {len(real)} real images; got {len(member)}")
    nearest, weights = _nearest(_distances(synthetic, real), member)
    found = float(weights @ (nearest < len(training)))
    chance = _exchanged(member[nearest], weights, member, len(training), draws=draws, seed=seed)
    ct, ct_p = _three_sample(training, held_out, synthetic)
    return Memorization(
        nearest_training=found,
        expected=float(chance.mean()),
        p=float((1 + np.count_nonzero(chance >= found - 1e-12)) / (1 + draws)),
        ct=ct,
        ct_p=ct_p,
        training=len(training),
        held_out=len(held_out),
        synthetic=len(synthetic),
    )


def fidelity(real: FloatArray, synthetic: FloatArray, *, neighbours: int = 5) -> Fidelity:
    """Precision, recall, density and coverage of synthetic images, from neighbourhoods of so many neighbours.

    Parameters
    ----------
    real, synthetic
        ``(n, features)``, each more than ``neighbours``. Real images that the generator did not learn from, so that
        copies are not taken for precision.

    Raises
    ------
    ValueError
        When one of them has too few images, the columns differ, or a value is not finite.
    """
    _check(real, synthetic)
    if min(len(real), len(synthetic)) <= neighbours:
        raise ValueError(f"expected more than {neighbours} images of each; got {len(real)} and {len(synthetic)}")
    between = _distances(synthetic, real)
    real_reach, synthetic_reach = _reach(real, neighbours), _reach(synthetic, neighbours)
    within_real = between <= real_reach[None]
    inside = within_real.any(axis=1)
    reached = (between <= synthetic_reach[:, None]).any(axis=0)
    covered = within_real.any(axis=0)
    return Fidelity(
        precision=float(inside.mean()),
        precision_interval=clopper_pearson(int(inside.sum()), len(synthetic)),
        recall=float(reached.mean()),
        recall_interval=clopper_pearson(int(reached.sum()), len(real)),
        density=float(within_real.sum(axis=1).mean() / neighbours),
        coverage=float(covered.mean()),
        coverage_interval=clopper_pearson(int(covered.sum()), len(real)),
        neighbours=neighbours,
        real=len(real),
        synthetic=len(synthetic),
    )


def _nearest(distances: FloatArray, member: IntArray) -> tuple[IntArray, FloatArray]:
    """The real image nearest to each synthetic one, and how much it stands out; these weights sum to 1."""
    nearest = distances.argmin(axis=1)
    first = distances[np.arange(len(distances)), nearest]
    second = np.where(member[None] == member[nearest][:, None], np.inf, distances).min(axis=1)
    with np.errstate(divide="ignore", invalid="ignore"):
        ratio = np.nan_to_num(second / first, nan=1.0, posinf=MOST_OUTSTANDING)
    weights = np.log(np.clip(ratio, 1.0, MOST_OUTSTANDING))
    return nearest, np.asarray(
        weights / weights.sum() if weights.sum() > 0 else np.full(len(weights), 1 / len(weights))
    )


def _exchanged(
    witness: IntArray, weights: FloatArray, member: IntArray, training: int, *, draws: int, seed: int
) -> FloatArray:
    """Weighted shares of synthetic images nearest to a training group when the groups change sides by chance."""
    taught = np.bincount(member[:training], minlength=int(member.max()) + 1) > 0
    rng = np.random.default_rng(seed)
    sides = np.stack([rng.permutation(taught) for _ in range(draws)])
    return np.asarray(sides[:, witness] @ weights)


def _three_sample(training: FloatArray, held_out: FloatArray, synthetic: FloatArray) -> tuple[float, float]:
    """Meehan's statistic with a single cell: a Mann–Whitney test of both kinds of distances, ties corrected."""
    from scipy.stats import mannwhitneyu, norm

    ours, theirs = (_distances(some, training).min(axis=1) for some in (synthetic, held_out))
    if np.ptp(np.concatenate([ours, theirs])) == 0:
        return 0.0, 0.5
    p = float(mannwhitneyu(ours, theirs, alternative="less", method="asymptotic", use_continuity=False).pvalue)
    return float(norm.ppf(min(max(p, 1e-300), 1 - 1e-16))), p


def _reach(features: FloatArray, neighbours: int) -> FloatArray:
    """Distance of each row to its k-th neighbour, itself not counted."""
    return np.asarray(np.partition(_distances(features, features), neighbours, axis=1)[:, neighbours])


def _distances(first: FloatArray, second: FloatArray) -> FloatArray:
    from scipy.spatial.distance import cdist

    return np.asarray(cdist(first, second))


def _check(*sets: FloatArray) -> None:
    shapes = [np.shape(one) for one in sets]
    if any(len(shape) != 2 or not shape[0] for shape in shapes) or len({shape[1] for shape in shapes}) != 1:
        raise ValueError(f"expected features (n, columns) with equal columns, at least one row each; got {shapes}")
    if not all(np.isfinite(one).all() for one in sets):
        raise ValueError("features hold values that are not finite; impute them first")
