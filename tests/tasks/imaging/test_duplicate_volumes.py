"""Copies of a volume are found as they are stored again; other volumes are not taken for copies."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from scipy import ndimage

from tasks.imaging.duplicate_volumes import duplicate_volumes, volume_thumbnails

Array = np.ndarray


def texture(seed: int) -> Array:
    """A volume with structure of several sizes inside a bright ball."""
    noise = np.random.default_rng(seed).normal(size=(24, 60, 70))
    structure = ndimage.gaussian_filter(noise, 2.5) * 40 + ndimage.gaussian_filter(noise, 1.2) * 8
    z, y, x = np.ogrid[-1:1:24j, -1:1:60j, -1:1:70j]
    return np.where(z * z + y * y + x * x < 0.9, 100 + structure * 20, 0.0).astype(np.float32)


COPIES: dict[str, Callable[[Array], Array]] = {
    "the same": lambda volume: volume,
    "other units": lambda volume: volume * 1.7 + 30,
    "8 bits": lambda volume: np.round((volume - volume.min()) / np.ptp(volume) * 255).astype(np.uint8),
    "turned over": lambda volume: volume[::-1, :, ::-1],
    "noise": lambda volume: volume + np.random.default_rng(1).normal(0, 3, volume.shape),
    "a missing number": lambda volume: np.where(np.arange(volume.size).reshape(volume.shape) == 7, np.nan, volume),
}


@pytest.mark.parametrize("change", COPIES)
def test_a_copy_is_found(change: str) -> None:
    thumbs = [volume_thumbnails(volume) for volume in (texture(1), texture(2), COPIES[change](texture(1)))]
    found = duplicate_volumes(np.stack(thumbs))
    assert set(found) == {(0, 2)}
    assert 0.9 <= found[0, 2] <= 1


def test_volumes_of_one_intensity_are_like_no_other() -> None:
    thumbs = np.stack([volume_thumbnails(np.full((4, 9, 9), value, np.int16)) for value in (0, 0, 7)])
    assert not thumbs.any()
    assert duplicate_volumes(thumbs) == {}


def test_one_voxel_and_no_number_at_all_have_thumbnails() -> None:
    assert volume_thumbnails(np.ones((1, 1, 1))).shape == (3, 2, 64, 64)
    assert not volume_thumbnails(np.full((3, 4, 5), np.nan)).any()


def test_thumbnails_of_another_shape_are_refused() -> None:
    with pytest.raises(ValueError, match=r"expected thumbnails \(volumes, 3, 2, 64, 64\)"):
        duplicate_volumes(np.zeros((2, 2, 64, 64), np.uint8))


def test_no_two_hippocampi_of_real_patients_are_taken_for_copies(real_data: Path) -> None:
    import SimpleITK as sitk

    files = sorted((real_data / "hippocampus" / "images").glob("*.nii.gz"))
    thumbs = np.stack([volume_thumbnails(sitk.GetArrayFromImage(sitk.ReadImage(str(file)))) for file in files])
    assert len(thumbs) > 20
    assert duplicate_volumes(thumbs) == {}
    assert set(duplicate_volumes(np.concatenate([thumbs, thumbs[4:5]]))) == {(4, len(thumbs))}
