"""Volumes as OME-Zarr 0.5 (https://ngff.openmicroscopy.org/0.5), with what the format cannot hold beside it.

OME-Zarr 0.5 knows scale and translation along array axes, but no oblique direction, so ``spacing_mm``, ``origin_mm``,
``direction`` and ``unit`` are stored under ``lesionflow`` as well, and are what :func:`read_volume` believes.

A volume may have coarser *levels* of itself: level 0 is the volume, each next one has fewer and larger voxels of the
same patient. In the format's own words a level lies where its voxel centres lie in mm along the axes of level 0.

Arrays are stored in chunks of 64³ in shards of 128³ (smaller where the volume is). Two writers in one shard would undo
each other's work: what is written in parts is written by whole shards, which :func:`slabs` gives.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import zarr
from zarr.codecs import BloscCodec, BloscShuffle

from storage.errors import StoreError
from storage.volume import IDENTITY_DIRECTION, Triple, Volume

CHUNK = 64
SHARD = 128
ROWS = 4 * SHARD
COMPRESSOR = BloscCodec(cname="zstd", clevel=3, shuffle=BloscShuffle.bitshuffle)
Attributes = dict[str, Any]


@dataclass(frozen=True, eq=False)
class StoredVolume:
    """A volume on disk: its geometry as of :class:`~storage.volume.Volume`, its voxels when they are asked for.

    ``array`` is the Zarr array; ``stored.array[10:20]`` reads ten slices.
    """

    array: zarr.Array[Any]
    spacing_mm: Triple
    origin_mm: Triple
    direction: tuple[Triple, Triple, Triple]
    unit: str

    @property
    def shape(self) -> tuple[int, int, int]:
        """Voxels along (z, y, x)."""
        z, y, x = self.array.shape
        return z, y, x

    @property
    def grid(self) -> Volume:
        """Its geometry alone: a volume of zeros that takes no room."""
        zeros = np.broadcast_to(np.zeros((), np.uint8), self.shape)
        return Volume(zeros, self.spacing_mm, self.origin_mm, self.direction, self.unit)

    def read(self) -> Volume:
        """The whole volume in memory."""
        return Volume(np.asarray(self.array[...]), self.spacing_mm, self.origin_mm, self.direction, self.unit)

    def in_blocks(self) -> Volume:
        """The whole volume with a Dask array, a block a shard: nothing is read before it is computed."""
        import dask.array as da  # only large volumes need it

        blocks = da.from_array(self.array, chunks=self.array.shards or self.array.chunks, name=False)
        return Volume(blocks, self.spacing_mm, self.origin_mm, self.direction, self.unit)


def write_volume(path: Path, volume: Volume, *, name: str = "image", levels: Sequence[Volume] = ()) -> None:
    """Write a volume, and coarser levels of it where they are given, finest first; see :func:`create_level`.

    An array of Dask is computed slab by slab while it is written.
    """
    array = create_volume(
        path,
        shape=volume.shape,
        dtype=volume.array.dtype,
        spacing_mm=volume.spacing_mm,
        origin_mm=volume.origin_mm,
        direction=volume.direction,
        unit=volume.unit,
        name=name,
    )
    _fill(array, volume.array)
    for level in levels:
        if level.array.dtype != volume.array.dtype or not np.array_equal(level.direction, volume.direction):
            raise ValueError(f"a level has the volume's type {volume.array.dtype} and its direction")
        coarse = create_level(path, shape=level.shape, spacing_mm=level.spacing_mm, origin_mm=level.origin_mm)
        _fill(coarse, level.array)


def create_volume(
    path: Path,
    *,
    shape: tuple[int, int, int],
    dtype: npt.DTypeLike,
    spacing_mm: Triple,
    origin_mm: Triple = (0.0, 0.0, 0.0),
    direction: tuple[Triple, Triple, Triple] = IDENTITY_DIRECTION,
    unit: str = "arbitrary",
    name: str = "image",
) -> zarr.Array[Any]:
    """Make a volume of zeros, to be written in parts: ``for z in slabs(array): array[z] = …``.

    Parameters
    ----------
    path
        Folder; what stood there is removed.
    shape
        Voxels along ``(z, y, x)``.
    spacing_mm, origin_mm, direction, unit
        As of :class:`~storage.volume.Volume`, which refuses what cannot be.

    Returns
    -------
    zarr.Array
        Written by whole shards only (``array.shards``) where there are several writers, Dask for one.
    """
    empty = Volume(np.broadcast_to(np.zeros((), dtype), shape), spacing_mm, origin_mm, direction, unit)
    group = zarr.open_group(path, mode="w", zarr_format=3)
    array = _create_array(group, 0, empty.shape, empty.array.dtype)
    axes = [{"name": axis, "type": "space", "unit": "millimeter"} for axis in "zyx"]
    group.attrs["ome"] = {
        "version": "0.5",
        "multiscales": [{"name": name, "axes": axes, "datasets": [_dataset(0, empty.spacing_mm)]}],
    }
    group.attrs["lesionflow"] = {
        **_place(empty.spacing_mm, empty.origin_mm),
        "direction": [list(row) for row in empty.direction],
        "unit": empty.unit,
    }
    return array


def create_level(path: Path, *, shape: tuple[int, int, int], spacing_mm: Triple, origin_mm: Triple) -> zarr.Array[Any]:
    """Add the next coarser level to a volume, of zeros, of the volume's type, direction and unit.

    Parameters
    ----------
    path
        Of a volume that :func:`create_volume` or :func:`write_volume` made.
    shape, spacing_mm
        No more voxels, and none of them smaller, than the level before it, along ``(z, y, x)``.
    origin_mm
        LPS position of the centre of the level's voxel ``[0, 0, 0]``.

    Raises
    ------
    ValueError
        When it is not coarser than the level before it.
    StoreError
        When there is no volume at ``path``.
    """
    before = levels_of(path)
    first, last = before[0], before[-1]
    shrinks = all(new <= old for new, old in zip(shape, last.shape, strict=True)) and shape != last.shape
    if not shrinks or any(new < old for new, old in zip(spacing_mm, last.spacing_mm, strict=True)):
        raise ValueError(
            f"level {len(before)} has fewer and larger voxels than {last.shape} of {last.spacing_mm} mm; "
            f"got {shape} of {spacing_mm} mm"
        )
    group = zarr.open_group(path, mode="r+")
    array = _create_array(group, len(before), shape, first.array.dtype)
    shift = np.asarray(first.direction).T @ (np.asarray(origin_mm) - np.asarray(first.origin_mm))
    ome: Attributes = group.attrs["ome"]  # type: ignore[assignment]
    ours: Attributes = group.attrs["lesionflow"]  # type: ignore[assignment]
    ome["multiscales"][0]["datasets"].append(_dataset(len(before), spacing_mm, [float(mm) for mm in shift]))
    ours.setdefault("levels", []).append(_place(spacing_mm, origin_mm))
    group.attrs.update({"ome": ome, "lesionflow": ours})
    return array


def slabs(array: zarr.Array[Any]) -> Iterator[slice]:
    """Ranges of slices, first to last, none of which shares a shard with another."""
    depth = (array.shards or array.chunks)[0]
    for start in range(0, array.shape[0], depth):
        yield slice(start, min(start + depth, array.shape[0]))


def read_volume(path: Path, level: int = 0) -> Volume:
    """Read a volume, or a coarser level of it. Raises ``StoreError`` when there is none."""
    return open_volume(path, level).read()


def open_volume(path: Path, level: int = 0) -> StoredVolume:
    """A volume, or a coarser level of it, whose voxels are not read yet. Raises ``StoreError`` when there is none."""
    found = levels_of(path)
    if not 0 <= level < len(found):
        raise StoreError(f"{path.name} has the levels 0 to {len(found) - 1}; level {level} was asked for")
    return found[level]


def levels_of(path: Path) -> tuple[StoredVolume, ...]:
    """The volume and its coarser levels, finest first. Raises ``StoreError`` when there is no volume."""
    try:
        group = zarr.open_group(path, mode="r")
        ours: Attributes = group.attrs["lesionflow"]  # type: ignore[assignment]
        direction = tuple(tuple(row) for row in ours["direction"])
        return tuple(
            StoredVolume(
                array=group[str(level)],  # type: ignore[arg-type]
                spacing_mm=tuple(place["spacing_mm"]),
                origin_mm=tuple(place["origin_mm"]),
                direction=direction,  # type: ignore[arg-type]
                unit=str(ours["unit"]),
            )
            for level, place in enumerate([ours, *ours.get("levels", [])])
        )
    except (FileNotFoundError, KeyError) as error:
        raise StoreError(f"{path.name} is not a volume of this project ({type(error).__name__})") from error


def _fill(target: zarr.Array[Any], values: npt.NDArray[Any]) -> None:
    """Write slab by slab, whole shards at a time; what is Dask's is computed for it, in rows of at most 512."""
    for z, row in product(slabs(target), range(0, target.shape[1], ROWS)):
        part = z, slice(row, row + ROWS)
        target[part] = np.ascontiguousarray(values[part])


def _create_array(group: zarr.Group, level: int, shape: tuple[int, int, int], dtype: np.dtype[Any]) -> zarr.Array[Any]:
    chunks = tuple(min(CHUNK, n) for n in shape)
    shards = tuple(min(SHARD // CHUNK, -(-n // c)) * c for n, c in zip(shape, chunks, strict=True))
    return group.create_array(
        str(level),
        shape=shape,
        dtype=dtype,
        chunks=chunks,
        shards=shards,
        compressors=COMPRESSOR,
        dimension_names=("z", "y", "x"),
    )


def _dataset(level: int, spacing_mm: Triple, shift_mm: Sequence[float] | None = None) -> Attributes:
    """What OME-Zarr says of a level: its voxels' size, and how far its first one lies from that of level 0."""
    transforms: list[Attributes] = [{"type": "scale", "scale": list(spacing_mm)}]
    if shift_mm is not None:
        transforms.append({"type": "translation", "translation": list(shift_mm)})
    return {"path": str(level), "coordinateTransformations": transforms}


def _place(spacing_mm: Triple, origin_mm: Triple) -> Attributes:
    return {"spacing_mm": list(spacing_mm), "origin_mm": list(origin_mm)}
