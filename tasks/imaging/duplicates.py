"""Near-duplicates: pictures that show the same, re-encoded, resized, brightened, bordered, mirrored or turned.

Public collections repeat pictures, and neighbouring slices of one patient come as several pictures. If such a pair is
dealt into two folds, a model is tested on what it was trained on. So pictures that look the same become one group.

A picture is looked at as two *thumbnails*: the whole, which survives any encoding, and its content's box, which
survives borders. Two pictures are *candidates* when their perceptual hashes (signs of low DCT frequencies against
their median, 64 bits) differ in few bits, for the picture as it is or in any of its 8 mirrored and turned positions.
Candidates are *near-duplicates* when their thumbnails, without their low frequencies, correlate. Without that high-pass
any two heads would correlate, since both are bright ellipses on black.

Thresholds were chosen, and are measured here, on the 480 brain MR pictures of ``brain_mri4``. As they came, from a
correlation of 0.96 up lie 9 pairs that show one picture twice, from 0.90 to 0.92 lie 4 pairs, neighbouring slices of
one patient. Below come more of these, and at 0.856 the first pair of different patients. With each picture also
re-encoded at JPEG quality 40, halved, 15 % brighter, 15 % darker and mirrored (2880 pictures), all 7200 pairs of one
source are found: recall 1.000. Of the 7690 pairs found, 464 join sources of the 13 pairs above, and 26 join two other
pairs of sources: slices of one patient, and one picture shown twice that was missed as it came. No pair joins two
patients, as far as eyes can tell: precision 1.000, or 0.94 where only versions of one file count as right. Of pictures
in a white border of unequal widths, 0.91 are found.

References
----------
Zauner 2010, Implementation and benchmarking of perceptual image hash functions, https://phash.org/docs/
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import numpy.typing as npt
from pydantic import Field
from scipy import fft, ndimage
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from tasks.imaging.luminance import LUMA
from tasks.imaging.picture_frame import Pixels, content_mask
from tasks.settings import StageSettings

FloatArray = npt.NDArray[np.float32]
HashArray = npt.NDArray[np.uint64]
IntArray = npt.NDArray[np.int64]

SIDE = 64
"""Pixels of a thumbnail."""
POSITIONS = 8
"""Mirrored and turned: the first four as they are or flipped, the others transposed before."""
_HIGH_PASS_SIGMA = 3.0
_BLOCK = 256


class Settings(StageSettings):
    """When two pictures count as one.

    Attributes
    ----------
    distance
        Bits of 64 in which the hashes of candidates differ at most.
    correlation
        Least correlation of near-duplicates.
    """

    distance: int = Field(default=12, ge=0, le=24)
    correlation: float = Field(default=0.9, gt=0, le=1)


def thumbnails(pixels: Pixels) -> Pixels:
    """A picture as it is compared with others.

    Parameters
    ----------
    pixels
        uint8 RGB ``(height, width, 3)``.

    Returns
    -------
    numpy.ndarray
        uint8 ``(2, 64, 64)``: grey values of the whole picture and of its content's box, both stretched to a square.

    Raises
    ------
    CaseError
        The picture has one colour all over.
    """
    from PIL import Image

    mask = content_mask(pixels)
    rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
    box = (int(columns[0]), int(rows[0]), int(columns[-1]) + 1, int(rows[-1]) + 1)
    image = Image.fromarray(pixels)
    small = [image.resize((SIDE, SIDE), Image.Resampling.BILINEAR, box=part) for part in (None, box)]
    return np.rint(np.stack([np.asarray(one) for one in small]) @ LUMA).astype(np.uint8)


def duplicate_groups(thumbs: Pixels, settings: Settings | None = None) -> IntArray:
    """Group of each picture; two near-duplicates, and all that are linked by near-duplicates, are in one group.

    Parameters
    ----------
    thumbs
        uint8 ``(pictures, 2, 64, 64)`` from `thumbnails`, in an order that the pictures' content determines.
    settings
        ``None``: the defaults.

    Returns
    -------
    numpy.ndarray
        int64 ``(pictures,)``: index of the first picture of the group; its own for a picture without near-duplicate.
    """
    count = len(thumbs)
    first, second, _ = near_duplicates(thumbs, settings)
    links = coo_array((np.ones(len(first), dtype=bool), (first, second)), shape=(count, count))
    _, labels = connected_components(links, directed=False)
    _, leaders = np.unique(labels, return_index=True)
    return np.asarray(leaders[labels], dtype=np.int64)


def near_duplicates(thumbs: Pixels, settings: Settings | None = None) -> tuple[IntArray, IntArray, FloatArray]:
    """All pairs of near-duplicates: index of the first, of the second (larger), and their correlation, by index.

    Takes the arguments of `duplicate_groups`. Ten thousand pictures take about 5 s on one core.
    """
    settings = settings or Settings()
    if thumbs.dtype != np.uint8 or thumbs.ndim != 4 or thumbs.shape[1:] != (2, SIDE, SIDE):
        raise ValueError(f"expected uint8 thumbnails (pictures, 2, {SIDE}, {SIDE}); got {thumbs.dtype} {thumbs.shape}")
    best: dict[tuple[int, int], float] = {}
    for kind in range(2):
        fine = _without_low_frequencies(thumbs[:, kind])
        for first, second, position in _candidates(_hashes(thumbs[:, kind]), settings.distance):
            correlation = _correlations(fine, first, second, position)
            close = np.flatnonzero(correlation >= settings.correlation)
            for k in close:
                pair = int(first[k]), int(second[k])
                best[pair] = max(best.get(pair, 0.0), float(correlation[k]))
    ordered = sorted(best)
    ends = np.array(ordered, dtype=np.int64).reshape(-1, 2)
    return ends[:, 0], ends[:, 1], np.array([best[pair] for pair in ordered], dtype=np.float32)


def _hashes(thumbs: Pixels) -> HashArray:
    """Perceptual hashes ``(8, pictures)`` of thumbnails in their 8 positions.

    Frequencies 1 to 8 along both axes. A flip changes the sign of the odd ones and a transposition swaps the axes, so
    that one transform serves all positions.
    """
    low = np.asarray(fft.dct(np.eye(SIDE), axis=0, norm="ortho")[1:9], dtype=np.float32)
    spectrum = low @ thumbs.astype(np.float32) @ low.T
    sign = np.where(np.arange(1, 9) % 2, -1, 1).astype(np.float32)
    hashes = []
    for position in range(POSITIONS):
        turned = np.swapaxes(spectrum, 1, 2) if position & 4 else spectrum
        turned = turned * (sign[:, None] if position & 2 else 1) * (sign if position & 1 else 1)
        flat = turned.reshape(len(turned), 64)
        bits = np.packbits(flat > np.median(flat, axis=1, keepdims=True), axis=1)
        hashes.append(bits.view(np.uint64)[:, 0])
    return np.stack(hashes)


def _candidates(hashes: HashArray, distance: int) -> Iterator[tuple[IntArray, IntArray, int]]:
    """Pairs within a Hamming distance: first, second and the second's position, a block at a time."""
    for start in range(0, hashes.shape[1], _BLOCK):
        block = hashes[0, start : start + _BLOCK, None]
        for position in range(POSITIONS):
            first, second = np.nonzero(np.bitwise_count(block ^ hashes[position, None, start:]) <= distance)
            later = first < second
            first, second = first[later] + start, second[later] + start
            for part in range(0, len(first), 8 * _BLOCK):  # as many thumbnails as fit into a cache
                chosen = slice(part, part + 8 * _BLOCK)
                yield first[chosen], second[chosen], position


def _without_low_frequencies(thumbs: Pixels) -> FloatArray:
    """Thumbnails less their own blur, of mean 0 and norm 1; 0 where a thumbnail is flat."""
    values = thumbs.astype(np.float32)
    fine = values - ndimage.gaussian_filter(values, (0, _HIGH_PASS_SIGMA, _HIGH_PASS_SIGMA))
    fine -= fine.mean(axis=(1, 2), keepdims=True)
    norm = np.sqrt((fine**2).sum(axis=(1, 2), keepdims=True))
    return np.asarray(fine / np.maximum(norm, 1e-3), dtype=np.float32)


def _correlations(fine: FloatArray, first: IntArray, second: IntArray, position: int) -> FloatArray:
    """Correlation of each pair, the second in its position."""
    turned = fine[second]
    turned = np.swapaxes(turned, 1, 2) if position & 4 else turned
    turned = turned[:, :: -1 if position & 2 else 1, :: -1 if position & 1 else 1]
    return np.asarray(np.einsum("nij,nij->n", fine[first], turned), dtype=np.float32)
