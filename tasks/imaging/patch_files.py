"""Patches on disk: one sharded Zarr array of images, one of masks, and a table that says what each is.

- ``patches.zarr/images``: ``(n, …)``, float32; ``patches.zarr/masks``: ``(n, …)``, the numbers of the lesions, uint16,
  where annotations were read. A chunk is one patch, so that any of them is read alone; a shard holds many, so that
  there are few files.
- ``patches.parquet``: one row a patch, see ``COLUMNS``. Group by ``patient`` whenever patches are dealt into folds.

Two writers in one shard would undo each other's work, and so would one that writes it in parts from several blocks (as
``dask.array.to_zarr`` does with blocks smaller than the shard). So there is one writer, who gathers whole shards.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from storage.errors import StoreError
from storage.volume import Triple
from tasks.imaging.patches import PatchShape

if TYPE_CHECKING:
    import pandas as pd
    import zarr

SHARD_BYTES = 16 * 2**20
"""Of decoded patches in a shard, about; at least one patch."""
MOST_IN_SHARD = 1024
COLUMNS: dict[str, str] = {
    "number": "int64",
    "digest": "str",
    "patient": "str",
    "kind": "str",
    "label": "int64",
    "lesion": "int64",
    "lesion_share": "float64",
    "centre_z": "int64",
    "centre_y": "int64",
    "centre_x": "int64",
    "x_mm": "float64",
    "y_mm": "float64",
    "z_mm": "float64",
    "score": "float64",
}
"""``number`` from 0: its place in the arrays. ``digest`` and ``patient`` are the case's. ``kind``: ``"grid"``,
``"lesion"``, ``"background"`` or ``"hard"``. ``label``: 1 with a voxel of a lesion in it, 0 without, -1 where no
annotation was read; ``lesion``: the one with most voxels in it, 0 for none; ``lesion_share``: part of its voxels that
are lesion, NaN where not known. ``centre_*``: voxel; ``x_mm`` …: the same in the patient, LPS. ``score``: of a hard
negative, else NaN."""
_ARRAYS, _TABLE, _ABOUT = "patches.zarr", "patches.parquet", "patches.json"


@dataclass(frozen=True)
class PatchFacts:
    """What all patches of a folder have in common: shape, the image's grid and unit, and the seed that drew them."""

    shape: PatchShape
    spacing_mm: Triple
    direction: tuple[Triple, Triple, Triple]
    unit: str
    seed: int


@dataclass(frozen=True, eq=False)
class PatchSet:
    """Patches on disk; ``images[i]`` and ``masks[i]`` are those of the table's row ``i``, read when asked for.

    ``masks`` is ``None`` where no annotation was read. ``candidates``: 1 where the patch's candidate is; ``None`` where
    patches show none.
    """

    facts: PatchFacts
    table: pd.DataFrame
    images: zarr.Array[Any]
    masks: zarr.Array[Any] | None
    candidates: zarr.Array[Any] | None = None

    def __len__(self) -> int:
        return len(self.table)


def write_patches(
    folder: Path,
    table: pd.DataFrame,
    images: Iterable[npt.NDArray[Any]],
    masks: Iterable[npt.NDArray[Any]] | None,
    facts: PatchFacts,
    *,
    candidates: Iterable[npt.NDArray[Any]] | None = None,
) -> None:
    """Write patches into an existing folder, a shard at a time: only one shard is held in memory.

    Parameters
    ----------
    table
        ``COLUMNS``, one row per patch.
    images, masks, candidates
        One array per row, of the facts' ``array_shape``; each is gone through once, in this order.

    Raises
    ------
    ValueError
        Rows and arrays differ in number or shape, or the table has other columns.
    """
    import zarr

    if list(table.columns) != list(COLUMNS) or table["number"].tolist() != list(range(len(table))):
        raise ValueError(f"expected the columns {list(COLUMNS)}, numbered from 0")
    group = zarr.open_group(folder / _ARRAYS, mode="w", zarr_format=3)
    _fill(group, "images", images, len(table), facts.shape.array_shape, "float32")
    if masks is not None:
        _fill(group, "masks", masks, len(table), facts.shape.array_shape, "uint16")
    if candidates is not None:
        _fill(group, "candidates", candidates, len(table), facts.shape.array_shape, "uint8")
    table.astype(COLUMNS).to_parquet(folder / _TABLE)
    about = {
        "shape": facts.shape.model_dump(mode="json"),
        "spacing_mm": facts.spacing_mm,
        "direction": facts.direction,
        "unit": facts.unit,
        "seed": facts.seed,
    }
    (folder / _ABOUT).write_text(json.dumps(about, indent=1))


def read_patches(folder: Path) -> PatchSet:
    """The patches of a folder. Raises ``StoreError`` where table and arrays contradict each other."""
    import pandas as pd
    import zarr

    group = zarr.open_group(folder / _ARRAYS, mode="r")
    table = pd.read_parquet(folder / _TABLE)
    about = json.loads((folder / _ABOUT).read_text())
    facts = PatchFacts(
        PatchShape.model_validate(about["shape"]),
        tuple(about["spacing_mm"]),
        tuple(tuple(row) for row in about["direction"]),  # type: ignore[arg-type]
        about["unit"],
        about["seed"],
    )
    images: Any = group["images"]
    masks: Any = group.get("masks")
    candidates: Any = group.get("candidates")
    expected = (len(table), *facts.shape.array_shape)
    if any(array is not None and array.shape != expected for array in (images, masks, candidates)):
        raise StoreError(f"expected {expected} patches as the table says; got {images.shape}: the folder is damaged")
    return PatchSet(facts, table, images, masks, candidates)


def _fill(
    group: zarr.Group, name: str, patches: Iterable[npt.NDArray[Any]], count: int, shape: tuple[int, ...], dtype: str
) -> None:
    from zarr.codecs import BloscCodec, BloscShuffle

    patch_bytes = int(np.prod(shape)) * np.dtype(dtype).itemsize
    in_shard = max(1, min(SHARD_BYTES // patch_bytes, MOST_IN_SHARD, count))
    array = group.create_array(
        name,
        shape=(count, *shape),
        dtype=dtype,
        chunks=(1, *shape),
        shards=(in_shard, *shape),
        compressors=BloscCodec(cname="zstd", clevel=3, shuffle=BloscShuffle.bitshuffle),
    )
    start = 0
    for shard in _shards(patches, in_shard, shape):
        if start + len(shard) <= count:
            array[start : start + len(shard)] = shard.astype(dtype, copy=False)
        start += len(shard)
    if start != count:
        raise ValueError(f"expected {count} patches as in the table; got {start}")


def _shards(patches: Iterable[npt.NDArray[Any]], size: int, shape: tuple[int, ...]) -> Iterator[npt.NDArray[Any]]:
    held: list[npt.NDArray[Any]] = []
    for patch in patches:
        if patch.shape != shape:
            raise ValueError(f"expected patches of {shape}; got {patch.shape}")
        held.append(patch)
        if len(held) == size:
            yield np.stack(held)
            held = []
    if held:
        yield np.stack(held)
