"""One bucket of pictures on disk: many sizes in one flat array, and a table that says where each lies.

``pictures.zarr`` holds the bytes of all pictures one after the other, each in C order ``(height, width, 3)``.
``pictures.parquet`` has one row per picture, by digest: ``digest``, ``case``, ``patient``, ``height``, ``width`` (in
pixels) and ``offset`` (of its first byte). One array per picture would be a hundred thousand small files for a study of
ten thousand pictures.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
import zarr
from zarr.codecs import BloscCodec, BloscShuffle

from storage.errors import StoreError

CHUNK_BYTES = 3 * 2**18
"""One picture of 512×512; a multiple of 3, so that every chunk starts with a red value."""
SHARD_BYTES = 16 * CHUNK_BYTES
# Three bytes to an element put red, green and blue apart. They are equal in most medical pictures, so the files of
# brain MR pictures become a third smaller than without.
COMPRESSOR = BloscCodec(typesize=3, cname="zstd", clevel=3, shuffle=BloscShuffle.shuffle)
COLUMNS = {"digest": "str", "case": "str", "patient": "str", "height": "int64", "width": "int64", "offset": "int64"}
_ARRAY, _TABLE = "pictures.zarr", "pictures.parquet"


@dataclass(frozen=True, eq=False)
class StoredPicture:
    """A picture with the digest of its file and its pseudonyms; `pixels` is uint8 RGB ``(height, width, 3)``."""

    digest: str
    case: str
    patient: str
    pixels: npt.NDArray[np.uint8]


def write_pictures(folder: Path, pictures: Iterable[StoredPicture]) -> None:
    """Write pictures into an existing folder, a shard at a time: only one of them and one shard are held in memory.

    Raises
    ------
    ValueError
        The digests do not ascend (or one comes twice), or pixels are not uint8 of shape ``(height, width, 3)``.
    """
    array = zarr.create_array(
        folder / _ARRAY,
        shape=(0,),
        dtype="uint8",
        chunks=(CHUNK_BYTES,),
        shards=(SHARD_BYTES,),
        compressors=COMPRESSOR,
        dimension_names=("byte",),
    )
    rows: list[tuple[str, str, str, int, int, int]] = []
    held: list[npt.NDArray[np.uint8]] = []
    offset = 0
    for picture in pictures:
        pixels = picture.pixels
        if pixels.dtype != np.uint8 or pixels.ndim != 3 or pixels.shape[2] != 3:
            raise ValueError(f"expected uint8 pixels (height, width, 3); got {pixels.dtype} {pixels.shape}")
        if rows and not rows[-1][0] < picture.digest:
            raise ValueError("expected pictures by ascending digest, each once")
        rows.append((picture.digest, picture.case, picture.patient, pixels.shape[0], pixels.shape[1], offset))
        offset += pixels.size
        held.append(np.ascontiguousarray(pixels).ravel())
        if sum(part.size for part in held) >= SHARD_BYTES:
            held = _append(array, np.concatenate(held), whole_shards=True)
    if held:
        _append(array, np.concatenate(held), whole_shards=False)
    pd.DataFrame(rows, columns=list(COLUMNS)).astype(COLUMNS).to_parquet(folder / _TABLE)


def read_picture_table(folder: Path) -> pd.DataFrame:
    """Which pictures a folder holds: the table described above, without its pixels."""
    return pd.read_parquet(folder / _TABLE)


def read_pictures(folder: Path, *, cases: Collection[str] | None = None) -> Iterator[StoredPicture]:
    """Read pictures one by one, by digest.

    Parameters
    ----------
    folder
        What `write_pictures` wrote.
    cases
        Pseudonyms of the cases wanted; ``None`` takes all.

    Raises
    ------
    StoreError
        Table and array contradict each other.
    """
    array = zarr.open_array(folder / _ARRAY, mode="r")
    for row in read_picture_table(folder).itertuples(index=False):
        digest, case, patient, height, width, offset = row
        if cases is None or case in cases:
            end = offset + height * width * 3
            if end > array.shape[0]:
                raise StoreError(f"picture {digest[:12]} ends at byte {end} of {array.shape[0]}: the bucket is damaged")
            yield StoredPicture(digest, case, patient, np.asarray(array[offset:end]).reshape(height, width, 3))


def _append(array: zarr.Array[Any], data: npt.NDArray[np.uint8], *, whole_shards: bool) -> list[npt.NDArray[np.uint8]]:
    """Write bytes at the array's end and return what was not written: a shard that is written twice costs double."""
    start = array.shape[0]
    count = data.size - data.size % SHARD_BYTES if whole_shards else data.size
    array.resize((start + count,))
    array[start:] = data[:count]
    return [data[count:]]
