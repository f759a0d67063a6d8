"""Whether features can be trusted: the same regions again, with another contour, more noise, and shuffled voxels.

A feature that changes when a reader draws the contour a pixel further out, or when the scanner's noise falls
differently, says as much about reader and scanner as about the patient. One that does not change when the voxels are
shuffled says nothing about texture, whatever it is called: it repeats size and intensities (the control of Welch et al.
2019, doi:10.1016/j.radonc.2018.10.027). The perturbations are those of Zwanenburg et al. 2019
(doi:10.1038/s41598-018-36938-4), in the plane that contours are drawn in.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from contextlib import suppress

import numpy as np
import pandas as pd

from storage.errors import CaseError
from storage.volume import Volume
from tasks.extract.describe import Describer, columns
from tasks.extract.grid import Grid
from tasks.extract.region import widened
from tasks.extract.settings import Settings
from tasks.imaging.candidate_set import CandidateSet
from tasks.imaging.morphology import BoolArray, Box, mask_box
from tasks.imaging.noise import noise_of
from tasks.metrics.agreement import intraclass_correlation

ORIGINAL, NOISY, SHUFFLED = "original", "noisy", "shuffled"
CONTOURS = ("grown", "shrunk", "shifted_y", "shifted_x")
SURROUNDINGS_MM = 40.0
"""What is kept around a region: the variants are compared with one another on this part of the image."""


def perturbed_features(image: Volume, candidates: CandidateSet, settings: Settings) -> pd.DataFrame:
    """Features of the case's regions of highest score, as they are and in each variant.

    Parameters
    ----------
    image, candidates, settings
        As for :func:`tasks.extract.table.extract_features`; ``settings.stability`` says how many regions.

    Returns
    -------
    pandas.DataFrame
        ``number`` of the candidate, ``variant``, ``volume_ml``, and the feature columns. A region that a variant leaves
        without a voxel has no row for it.
    """
    scores = candidates.table["score"].to_numpy()
    chosen = np.sort(np.argsort(-scores, kind="stable")[: settings.stability_regions])
    sd = noise_of(image.array, image.spacing_mm) if chosen.size else 0.0
    rows = []
    for i in chosen:
        number, volume_ml = (candidates.table[name].iloc[i] for name in ("number", "volume_ml"))
        for variant, values in _variants(image, *candidates.mask(int(i)), settings, sd):
            rows.append({"number": int(number), "variant": variant, "volume_ml": float(volume_ml), **values})
    return pd.DataFrame(rows, columns=["number", "variant", "volume_ml", *columns(settings)])


def evidence_of(tables: list[pd.DataFrame]) -> pd.DataFrame:
    """What the variants of all cases say about each feature.

    Parameters
    ----------
    tables
        Of :func:`perturbed_features`, one per case.

    Returns
    -------
    pandas.DataFrame
        One row per feature: ``name``; ``icc_contour``, ``icc_noise`` and ``icc_shuffled``, each with ``_low`` and
        ``_high`` (95 %) and ``_n`` (regions with a value in all variants), the agreement with the unchanged region;
        ``volume_correlation`` (Spearman's, of the unchanged regions); ``regions``, how many there are. NaN where
        too few regions have a value.
    """
    every = pd.concat([table.assign(case=i) for i, table in enumerate(tables)], ignore_index=True)
    names = [name for name in every.columns if name not in ("number", "variant", "volume_ml", "case")]
    wide = every.pivot(index=["case", "number"], columns="variant", values=names) if len(every) else None
    volume = every.loc[every["variant"] == ORIGINAL].set_index(["case", "number"])["volume_ml"]
    return pd.DataFrame([{"name": name, **_of_feature(name, wide, volume)} for name in names])


def _of_feature(name: str, wide: pd.DataFrame | None, volume: pd.Series[float]) -> dict[str, float]:
    groups = {"contour": CONTOURS, "noise": (NOISY,), "shuffled": (SHUFFLED,)}
    found: dict[str, float] = {}
    for group, variants in groups.items():
        chosen = [(name, variant) for variant in (ORIGINAL, *variants)]
        values = np.empty((0, 2)) if wide is None else wide.reindex(columns=chosen).to_numpy()
        icc = intraclass_correlation(values)
        found |= {f"icc_{group}": icc.icc, f"icc_{group}_low": icc.low, f"icc_{group}_high": icc.high}
        found[f"icc_{group}_n"] = icc.n
    original = None if wide is None else wide[(name, ORIGINAL)]
    found["volume_correlation"] = float("nan") if original is None else _spearman(original, volume)
    found["regions"] = len(volume)
    return found


def _spearman(values: pd.Series[float], volume: pd.Series[float]) -> float:
    both = pd.concat([values, volume], axis=1).dropna().rank()
    return float(both.corr().to_numpy()[0, 1]) if len(both) >= 3 else float("nan")


def _variants(
    image: Volume, box: Box, mask: BoolArray, settings: Settings, noise_sd: float
) -> Iterator[tuple[str, dict[str, float]]]:
    near, inside = _surroundings(image, box, mask, settings)
    rng = np.random.default_rng(_seed(near, inside))
    contours = {ORIGINAL: inside, **_contours(inside)}
    drawn = {variant: mask for variant, mask in contours.items() if mask.any()}
    yield from zip(drawn, _described(near, list(drawn.values()), settings), strict=True)
    noise = rng.normal(scale=noise_sd, size=near.shape) if noise_sd else 0.0
    shuffled = np.array(near.array)
    shuffled[inside] = rng.permutation(shuffled[inside])
    for variant, array in ((NOISY, (near.array + noise).astype(np.float32)), (SHUFFLED, shuffled)):
        # With noise, intensities that were whole numbers are none: then there is nothing to compare.
        with suppress(CaseError):
            yield variant, _described(near.with_array(array), [inside], settings)[0]


def _described(image: Volume, masks: list[BoolArray], settings: Settings) -> list[dict[str, float]]:
    describer = Describer(image, settings)
    boxes = [mask_box(mask) for mask in masks]
    return describer.describe_all(describer.region(box, mask[box]) for box, mask in zip(boxes, masks, strict=True))


def _contours(inside: BoolArray) -> dict[str, BoolArray]:
    """The mask a pixel larger and smaller, and moved by one, in the plane of the slices."""
    from scipy import ndimage

    cross = ndimage.generate_binary_structure(2, 1)[None]
    return {
        "grown": np.asarray(ndimage.binary_dilation(inside, cross)),
        "shrunk": np.asarray(ndimage.binary_erosion(inside, cross)),
        "shifted_y": _shifted(inside, 1),
        "shifted_x": _shifted(inside, 2),
    }


def _shifted(inside: BoolArray, axis: int) -> BoolArray:
    """Moved by one voxel; what leaves the image is lost."""
    moved = np.roll(inside, 1, axis=axis)
    moved[(slice(None),) * axis + (0,)] = False
    return moved


def _surroundings(image: Volume, box: Box, mask: BoolArray, settings: Settings) -> tuple[Volume, BoolArray]:
    least = max((one.least_voxels for one in settings.filters), default=0)
    dz, dy, dx = (max(SURROUNDINGS_MM, least * s) for s in Grid(image, settings.interpolation).spacing_mm)
    z, y, x = widened(box, (dz, dy, dx), image.shape, image.spacing_mm)
    near = image.crop((z.start, y.start, x.start), (z.stop, y.stop, x.stop))
    inside = np.zeros(near.shape, dtype=bool)
    inside[tuple(slice(b.start - o.start, b.stop - o.start) for b, o in zip(box, (z, y, x), strict=True))] = mask
    return near, inside


def _seed(near: Volume, inside: BoolArray) -> int:
    """From the voxels themselves: the same region gives the same noise wherever and whenever it is computed."""
    content = hashlib.sha256(np.ascontiguousarray(near.array).tobytes() + np.packbits(inside).tobytes())
    return int.from_bytes(content.digest()[:8], "little")
