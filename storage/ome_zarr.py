"""Volumes as OME-Zarr 0.5 (https://ngff.openmicroscopy.org/0.5), with what the format cannot hold beside it.

OME-Zarr 0.5 knows scale and translation along array axes, but no oblique direction, so ``spacing_mm``, ``origin_mm``,
``direction`` and ``unit`` are stored under ``lesionflow`` as well, and are what :func:`read_volume` believes.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import zarr
from zarr.codecs import BloscCodec, BloscShuffle

from storage.errors import StoreError
from storage.volume import Volume

CHUNK = 64
SHARD = 128
COMPRESSOR = BloscCodec(cname="zstd", clevel=3, shuffle=BloscShuffle.bitshuffle)


def write_volume(path: Path, volume: Volume, *, name: str = "image") -> None:
    """Write a volume as one resolution level, chunks of 64³ in shards of 128³ (smaller where the volume is)."""
    group = zarr.open_group(path, mode="w", zarr_format=3)
    chunks = tuple(min(CHUNK, n) for n in volume.shape)
    shards = tuple(min(SHARD // CHUNK, -(-n // c)) * c for n, c in zip(volume.shape, chunks, strict=True))
    array = group.create_array(
        "0",
        shape=volume.shape,
        dtype=volume.array.dtype,
        chunks=chunks,
        shards=shards,
        compressors=COMPRESSOR,
        dimension_names=("z", "y", "x"),
    )
    array[...] = np.ascontiguousarray(volume.array)
    axes: Any = [{"name": axis, "type": "space", "unit": "millimeter"} for axis in "zyx"]
    scale = {"type": "scale", "scale": list(volume.spacing_mm)}
    levels: Any = [{"path": "0", "coordinateTransformations": [scale]}]
    group.attrs["ome"] = {"version": "0.5", "multiscales": [{"name": name, "axes": axes, "datasets": levels}]}
    group.attrs["lesionflow"] = {
        "spacing_mm": list(volume.spacing_mm),
        "origin_mm": list(volume.origin_mm),
        "direction": [list(row) for row in volume.direction],
        "unit": volume.unit,
    }


def read_volume(path: Path) -> Volume:
    """Read a volume that :func:`write_volume` wrote. Raises ``StoreError`` when it is none."""
    try:
        group = zarr.open_group(path, mode="r")
        ours = group.attrs["lesionflow"]
        array = np.asarray(group["0"][...])  # type: ignore[index]
        return Volume(
            array=array,
            spacing_mm=tuple(ours["spacing_mm"]),  # type: ignore[index,call-overload,arg-type]
            origin_mm=tuple(ours["origin_mm"]),  # type: ignore[index,call-overload,arg-type]
            direction=tuple(tuple(row) for row in ours["direction"]),  # type: ignore[index,call-overload,arg-type,union-attr]
            unit=str(ours["unit"]),  # type: ignore[index,call-overload]
        )
    except (FileNotFoundError, KeyError) as error:
        raise StoreError(f"{path.name} is not a volume of this project ({type(error).__name__})") from error
