"""Candidates: places of an image that may be lesions, each with its own mask.

A *piece* is a mask that lives in a box of the image. A *candidate set* is a table with one row per candidate beside the
masks, which are kept as bits of their boxes, so that hundreds of overlapping candidates take little room. The columns
that tell where a candidate lies (peak, centroid, box, position) are for bookkeeping; they are no features, because a
place in the crop says how the crop was made.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from tasks.imaging.morphology import BoolArray, Box

if TYPE_CHECKING:
    import pandas as pd

BOX_COLUMNS = ("box_z0", "box_y0", "box_x0", "box_z1", "box_y1", "box_x1")
POSITION_COLUMNS = ("x_mm", "y_mm", "z_mm")
COLUMNS: dict[str, str] = {
    "number": "int64",
    "kind": "str",
    "threshold_or_sigma": "float64",
    "volume_ml": "float64",
    "score": "float64",
    "peak_z": "int64",
    "peak_y": "int64",
    "peak_x": "int64",
    "centroid_z": "float64",
    "centroid_y": "float64",
    "centroid_x": "float64",
    **dict.fromkeys(BOX_COLUMNS, "int64"),
    **dict.fromkeys(POSITION_COLUMNS, "float64"),
}


@dataclass(frozen=True, eq=False)
class Piece:
    """A mask in its box.

    Attributes
    ----------
    kind
        What found it: ``"component"``, ``"blob"``, ``"dog"``, ``"hessian"``, ``"contour"``, ``"tree"`` or
        ``"saliency"``.
    level
        The threshold in the image's unit (component, contour, tree), the scale sigma in mm (blob, dog, hessian), or the
        level of the map (saliency) that found it.
    box
        Smallest box of the mask in the image, slices ``(z, y, x)``.
    mask
        Boolean, shape of the box.
    """

    kind: str
    level: float
    box: Box
    mask: BoolArray


@dataclass(frozen=True, eq=False)
class CandidateSet:
    """Candidates of one image.

    Attributes
    ----------
    table
        Columns ``COLUMNS``: ``number`` from 1, ``kind``, ``threshold_or_sigma`` (see `Piece.level`), ``volume_ml``,
        ``score`` (contrast: mean inside less mean of the surroundings, in the image's unit), ``peak_*`` (voxel of the
        largest intensity), ``centroid_*`` (voxel coordinates), ``box_*`` (first voxel, and one past the last) and
        ``x_mm``, ``y_mm``, ``z_mm`` (the centroid in the patient, LPS; NaN where the patient's axes are not known).
    bits
        ``uint8``: all masks, each raveled in C order and packed to whole bytes.
    offsets
        ``int64``, one longer than the table: mask i is ``bits[offsets[i]:offsets[i + 1]]``.
    """

    table: pd.DataFrame
    bits: npt.NDArray[np.uint8]
    offsets: npt.NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.table)

    def mask(self, i: int) -> tuple[Box, BoolArray]:
        """Box and mask of row ``i`` (from 0)."""
        z0, y0, x0, z1, y1, x1 = (int(v) for v in self.table[list(BOX_COLUMNS)].to_numpy()[i])
        shape = (z1 - z0, y1 - y0, x1 - x0)
        packed = self.bits[self.offsets[i] : self.offsets[i + 1]]
        mask = np.unpackbits(packed, count=int(np.prod(shape))).astype(bool).reshape(shape)
        return (slice(z0, z1), slice(y0, y1), slice(x0, x1)), mask

    def masks(self) -> Iterator[tuple[Box, BoolArray]]:
        """Box and mask of every row, in order."""
        return (self.mask(i) for i in range(len(self)))

    def full_mask(self, i: int, shape: tuple[int, int, int]) -> BoolArray:
        """Mask of row ``i`` in an array of the image's shape."""
        box, mask = self.mask(i)
        full = np.zeros(shape, dtype=bool)
        full[box] = mask
        return full

    def to_arrays(self) -> tuple[pd.DataFrame, npt.NDArray[np.uint8], npt.NDArray[np.int64]]:
        """Table, bits and offsets, for storing (the table as Parquet)."""
        return self.table, self.bits, self.offsets

    @classmethod
    def from_arrays(
        cls, table: pd.DataFrame, bits: npt.NDArray[np.uint8], offsets: npt.NDArray[np.int64]
    ) -> CandidateSet:
        """The set that `to_arrays` gave; ``ValueError`` where the three do not belong together."""
        if list(table.columns) == list(COLUMNS)[: -len(POSITION_COLUMNS)]:  # written by an older version
            table = table.assign(**dict.fromkeys(POSITION_COLUMNS, np.nan))
        if list(table.columns) != list(COLUMNS):
            raise ValueError(f"expected the columns {list(COLUMNS)}; got {list(table.columns)}")
        box = table[list(BOX_COLUMNS)].to_numpy(dtype=np.int64)
        sizes = (np.prod(box[:, 3:] - box[:, :3], axis=1) + 7) // 8
        expected = np.concatenate([[0], np.cumsum(sizes)]).astype(np.int64)
        if not np.array_equal(expected, offsets) or len(bits) != expected[-1]:
            raise ValueError(
                f"masks do not fit the table: expected {expected[-1]} bytes in {len(table)} masks; got {len(bits)}"
            )
        return cls(
            table.reset_index(drop=True).astype(COLUMNS), np.asarray(bits, np.uint8), np.asarray(offsets, np.int64)
        )

    @classmethod
    def from_pieces(
        cls,
        pieces: Sequence[Piece],
        image: npt.NDArray[Any],
        *,
        voxel_ml: float,
        scores: Sequence[float],
        to_world_mm: Callable[[npt.NDArray[Any]], npt.NDArray[Any]] | None = None,
    ) -> CandidateSet:
        """Number the pieces in the given order and measure what the table holds.

        ``image`` has shape ``(z, y, x)``; ``voxel_ml`` is the volume of a voxel in ml; ``scores`` has one number per
        piece; ``to_world_mm`` is that of the image's `Volume`, ``None`` where its place is not known.
        """
        import pandas as pd

        rows = [
            _row(n, piece, image, voxel_ml, score, to_world_mm)
            for n, (piece, score) in enumerate(zip(pieces, scores, strict=True), 1)
        ]
        packed = [np.packbits(piece.mask) for piece in pieces]
        offsets = np.concatenate([[0], np.cumsum([len(p) for p in packed])]).astype(np.int64)
        bits = np.concatenate(packed) if packed else np.zeros(0, np.uint8)
        return cls(pd.DataFrame(rows, columns=list(COLUMNS)).astype(COLUMNS), bits, offsets)


def _row(
    number: int,
    piece: Piece,
    image: npt.NDArray[Any],
    voxel_ml: float,
    score: float,
    to_world_mm: Callable[[npt.NDArray[Any]], npt.NDArray[Any]] | None,
) -> tuple[Any, ...]:
    start = np.array([side.start for side in piece.box])
    inside = np.where(piece.mask, image[piece.box], -np.inf)
    peak = start + np.unravel_index(int(np.argmax(inside)), inside.shape)
    voxels = np.argwhere(piece.mask)
    centroid = start + voxels.mean(axis=0)
    stop = [side.stop for side in piece.box]
    world = to_world_mm(centroid) if to_world_mm else (np.nan,) * 3
    return (number, piece.kind, piece.level, len(voxels) * voxel_ml, score, *peak, *centroid, *start, *stop, *world)
