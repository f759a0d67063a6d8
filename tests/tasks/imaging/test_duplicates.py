"""Pictures that show the same are one group, however they were saved; others are not."""

from __future__ import annotations

from io import BytesIO
from itertools import islice
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from scipy import fft, ndimage

from storage.errors import CaseError
from tasks.imaging.duplicates import Settings, _hashes, duplicate_groups, near_duplicates, thumbnails

Array = np.ndarray


def picture(seed: int, *, shape: tuple[int, int] = (150, 120)) -> Array:
    """A head on black with a texture of its own."""
    height, width = shape
    y, x = np.mgrid[:height, :width]
    mask = ((y - height / 2) / (0.42 * height)) ** 2 + ((x - width / 2) / (0.42 * width)) ** 2 <= 1
    texture = ndimage.gaussian_filter(np.random.default_rng(seed).normal(size=shape), 4)
    grey = np.where(mask, np.clip(120 + 50 * texture / texture.std(), 50, 220), 0)
    return np.repeat(grey.astype(np.uint8)[..., None], 3, axis=-1)


def versions(pixels: Array) -> dict[str, Array]:
    image, stream = Image.fromarray(pixels), BytesIO()
    image.save(stream, "JPEG", quality=40)
    return {
        "re-encoded": np.asarray(Image.open(stream).convert("RGB")),
        "halved": np.asarray(image.resize((image.width // 2, image.height // 2))),
        "brighter": np.clip(pixels * 1.15, 0, 255).astype(np.uint8),
        "darker": (pixels * 0.85).astype(np.uint8),
        "mirrored": pixels[:, ::-1].copy(),
    }


def stack(pictures: list[Array]) -> Array:
    return np.stack([thumbnails(pixels) for pixels in pictures])


@pytest.mark.parametrize("version", ["re-encoded", "halved", "brighter", "darker", "mirrored"])
def test_each_version_of_a_picture_joins_it(version: str) -> None:
    pictures = [picture(seed) for seed in range(5)]
    thumbs = stack([*pictures, *(versions(pixels)[version] for pixels in pictures)])
    assert duplicate_groups(thumbs).tolist() == [0, 1, 2, 3, 4, 0, 1, 2, 3, 4]


@pytest.mark.parametrize("turns", [0, 1, 2, 3])
@pytest.mark.parametrize("flip", [False, True])
def test_each_of_the_eight_positions_is_recognized(turns: int, flip: bool) -> None:
    turned = np.rot90(picture(1), turns)
    turned = turned[:, ::-1] if flip else turned
    first, second, correlation = near_duplicates(stack([picture(1), picture(2), turned.copy()]))
    assert (first.tolist(), second.tolist()) == ([0], [2])
    assert correlation[0] > 0.95


def test_a_border_does_not_hide_a_picture() -> None:
    bordered = np.pad(picture(1), ((20, 12), (30, 10), (0, 0)), constant_values=255)
    assert duplicate_groups(stack([picture(0), picture(1), bordered])).tolist() == [0, 1, 1]


def test_groups_are_closed_under_links() -> None:
    blend = [picture(0) * (1 - share) + picture(1) * share for share in (0.0, 0.18, 0.36)]
    thumbs = stack([pixels.astype(np.uint8) for pixels in blend])
    settings = Settings(correlation=0.945, distance=24)
    first, second, _ = near_duplicates(thumbs, settings)
    assert list(zip(first.tolist(), second.tolist(), strict=True)) == [(0, 1), (1, 2)]
    assert duplicate_groups(thumbs, settings).tolist() == [0, 0, 0]


def test_hashes_of_turned_thumbnails_come_from_one_transform() -> None:
    thumb = np.random.default_rng(3).integers(0, 256, (1, 64, 64), dtype=np.uint8)
    hashes = _hashes(thumb)[:, 0]
    for position in range(8):
        turned = thumb[0].T if position & 4 else thumb[0]
        turned = turned[:: -1 if position & 2 else 1, :: -1 if position & 1 else 1]
        low = fft.dctn(turned.astype(float), norm="ortho")[1:9, 1:9].ravel()
        bits = np.unpackbits(np.array([hashes[position]]).view(np.uint8))
        np.testing.assert_array_equal(bits, low > np.median(low))


def test_few_or_no_pictures_have_no_pairs() -> None:
    none = np.zeros((0, 2, 64, 64), dtype=np.uint8)
    assert duplicate_groups(none).tolist() == []
    assert duplicate_groups(stack([picture(0)])).tolist() == [0]
    flat = np.full((3, 2, 64, 64), 9, dtype=np.uint8)
    assert duplicate_groups(flat).tolist() == [0, 1, 2]


def test_wrong_input_is_refused() -> None:
    with pytest.raises(ValueError, match="expected uint8 thumbnails"):
        near_duplicates(np.zeros((3, 64, 64), dtype=np.uint8))
    with pytest.raises(CaseError, match="one colour"):
        thumbnails(np.zeros((20, 20, 3), dtype=np.uint8))


def test_thousands_of_pictures_are_compared_in_blocks() -> None:
    rng = np.random.default_rng(0)
    coarse = rng.integers(0, 256, (1500, 2, 8, 8)).astype(np.float32)
    thumbs = np.repeat(np.repeat(coarse, 8, axis=2), 8, axis=3).astype(np.uint8)
    thumbs[1400:] = np.clip(thumbs[:100].astype(int) + rng.integers(-9, 10, (100, 2, 64, 64)), 0, 255)
    expected = [*range(1400), *range(100)]
    assert duplicate_groups(thumbs).tolist() == expected


@pytest.mark.slow
def test_versions_of_real_pictures_are_found_and_different_ones_are_not(real_data: Path) -> None:
    folders = sorted((real_data / "brain_mri4").iterdir())
    paths = [path for folder in folders for path in islice(sorted(folder.iterdir()), 0, 120, 15)]
    pictures = [np.asarray(Image.open(path).convert("RGB")) for path in paths]
    everything = [version for pixels in pictures for version in (pixels, *versions(pixels).values())]
    groups = duplicate_groups(stack(everything)).reshape(len(pictures), 6)
    assert (groups == 6 * np.arange(len(pictures))[:, None]).all()
