"""What changes the features of a region, and what does not, family by family.

Four rules hold for every family unless the table says otherwise:

- *moved* in the image, a region keeps all its values, to the last bit;
- *mirrored* along z, y or x, it keeps them;
- *brighter* by a constant, it keeps them;
- *scaled*, in intensity or in spacing, they follow their units: lengths in mm double with the spacing, volumes grow
  eightfold, ratios stay.

What the table excepts must really change: an exception that is none fails as well.
"""

from __future__ import annotations

from dataclasses import dataclass
from fnmatch import fnmatchcase
from functools import cache

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import ndimage

from storage.volume import Volume
from tasks.extract.describe import Describer
from tasks.extract.discretize import Discretization
from tasks.extract.registry import family_names, load_family
from tasks.extract.settings import Settings

POWERS = {
    "1": (0, 0),
    "intensity": (1, 0),
    "intensity2": (2, 0),
    "mm": (0, 1),
    "mm2": (0, 2),
    "mm3": (0, 3),
    "ml": (0, 3),
    "1/mm": (0, -1),
}
"""Of the intensity and of the spacing, by unit."""
SPACING_MM = (2.5, 1.25, 1.25)
ALL = ("*",)
few = settings(max_examples=3, deadline=None, derandomize=True)


@dataclass(frozen=True)
class Table:
    """What a family's features do otherwise: patterns of their names.

    ``mirrored_zyx`` says which of them change when z, y and x are mirrored; ``loose`` has relative tolerances for what
    then begins at another voxel, an outline or a tile.
    """

    mirrored_zyx: tuple[tuple[str, ...], tuple[str, ...], tuple[str, ...]] = ((), (), ())
    brighter: tuple[str, ...] = ()
    intensity: tuple[str, ...] = ()
    spacing: tuple[str, ...] = ()
    loose: tuple[tuple[str, float], ...] = ()


LOCATION_OF_INTENSITIES = (
    *("mean", "median", "minimum", "maximum", "percentile_*"),
    *("coefficient_of_variation", "quartile_*", "energy", "root_mean_square"),
)
FAMILIES = {
    "autocorrelation": Table(),
    "contour": Table(loose=(("curvature_*", 0.1), ("*", 0.01))),
    "first_order": Table(brighter=LOCATION_OF_INTENSITIES),
    "fourier": Table(
        mirrored_zyx=((), ("direction_*",), ("direction_*",)),
        spacing=("power_*", "coherence_*"),
        loose=(("coherence_*", 0.05),),
    ),
    "glcm": Table(),
    "gldzm": Table(),
    "glrlm": Table(),
    "glszm": Table(),
    "haar_like": Table(mirrored_zyx=(ALL, ALL, ALL)),
    "haar_wavelet": Table(brighter=("log_approximation",), intensity=("log_*",)),
    "hog": Table(mirrored_zyx=(ALL, ALL, ALL)),
    "intensity_histogram": Table(),
    "intensity_volume": Table(),
    "lbp": Table(spacing=ALL),
    "local_intensity": Table(brighter=ALL, spacing=ALL),
    "moments": Table(mirrored_zyx=((), ("*_hu_7",), ("*_hu_7",))),
    "ngldm": Table(),
    "ngtdm": Table(),
    "pet": Table(
        brighter=("suv_*", "tlg*", "mtv_*"),
        intensity=("mtv_suv_*", "tlg_suv_*"),
        spacing=("suv_peak", "partial_volume_affected", "recovery_at_centre"),
    ),
    "pyramid": Table(mirrored_zyx=(ALL, ALL, ALL), brighter=("smooth_*_mean",)),
    "shape": Table(brighter=("centre_of_mass_shift", "integrated_intensity")),
    "wavelet": Table(mirrored_zyx=(ALL, ALL, ALL), brighter=("approximation_*",), spacing=ALL),
}
names = pytest.mark.parametrize("name", FAMILIES)
seeds = st.integers(0, 1000)


@cache
def scene(seed: int) -> tuple[np.ndarray, np.ndarray]:
    """An uneven lesion in texture, of sixteenths between about 0 and 12 that arithmetic keeps exact.

    One slice has the largest area: some families look at that one alone.
    """
    shape, rng = (21, 30, 35), np.random.default_rng(seed)
    noise = ndimage.gaussian_filter(rng.normal(size=shape), 1.0)
    z, y, x = np.ogrid[:21, :30, :35]
    mask = ((z - 10) / 4.6) ** 2 + ((y - 14) / 6.3) ** 2 + ((x - 17) / 8.7) ** 2 + 0.4 * noise < 1
    areas = mask.sum(axis=(1, 2))
    mask[int(areas.argmax()), 14, 17 : 17 + 18 : 2] = True
    labels, _ = ndimage.label(mask)
    return np.rint(16 * (5 + 6 * noise)) / 16 + 0.0, labels == np.bincount(labels[labels > 0]).argmax()


def measure(
    name: str, image: np.ndarray, mask: np.ndarray, spacing_mm: tuple[float, float, float] = SPACING_MM
) -> dict[str, float]:
    """The family's features of a region of a PET image, with sixteen levels."""
    chosen = Settings(families=(name,), discretization=Discretization(bins=16))
    describer = Describer(Volume(image, spacing_mm, unit="SUV"), chosen)
    box = tuple(slice(int(places.min()), int(places.max()) + 1) for places in np.nonzero(mask))
    found = describer.describe(*describer.region(box, mask[box]))
    return {column.split(".", 1)[1]: value for column, value in found.items()}


def differing(
    found: dict[str, float], expected: dict[str, float], rel: float = 1e-6, loose: tuple[tuple[str, float], ...] = ()
) -> set[str]:
    changed = set()
    for name, value in expected.items():
        allowed = next((wide for pattern, wide in loose if fnmatchcase(name, pattern)), rel)
        if found[name] != pytest.approx(value, rel=allowed, abs=allowed, nan_ok=True):
            changed.add(name)
    return changed


def assert_only(excepted: tuple[str, ...], changed: set[str]) -> None:
    """Nothing but what is excepted has changed, and of each exception something has."""
    surprising = {name for name in changed if not any(fnmatchcase(name, pattern) for pattern in excepted)}
    assert surprising == set()
    idle = [pattern for pattern in excepted if not any(fnmatchcase(name, pattern) for name in changed)]
    assert idle == []


def test_every_family_is_in_the_table_but_those_of_a_place_and_those_that_need_a_file() -> None:
    of_a_place = {name for name in family_names() if load_family(name).of_surroundings}
    assert set(FAMILIES) == set(family_names()) - of_a_place - {"deep"}


@names
@few
@given(seed=seeds, shift=st.tuples(*[st.integers(0, 6)] * 3))
def test_moved_in_the_image_a_region_keeps_its_values(name: str, seed: int, shift: tuple[int, int, int]) -> None:
    image, mask = scene(seed)
    pads = [(40 + k, 46 - k) for k in shift]
    home = [(40, 46)] * 3
    here, there = (measure(name, np.pad(image, pad, mode="wrap"), np.pad(mask, pad)) for pad in (home, pads))
    assert differing(there, here, rel=1e-12) == set()


@names
@pytest.mark.parametrize("axis", range(3))
@few
@given(seed=seeds)
def test_mirrored_a_region_keeps_its_values(name: str, axis: int, seed: int) -> None:
    image, mask = scene(seed)
    table = FAMILIES[name]
    found = measure(name, np.flip(image, axis).copy(), np.flip(mask, axis).copy())
    assert_only(table.mirrored_zyx[axis], differing(found, measure(name, image, mask), loose=table.loose))


@names
@few
@given(seed=seeds, sixteenths=st.integers(16, 400))
def test_brighter_by_a_constant_a_region_keeps_its_values(name: str, seed: int, sixteenths: int) -> None:
    image, mask = scene(seed)
    changed = differing(measure(name, image + sixteenths / 16, mask), measure(name, image, mask))
    assert_only(FAMILIES[name].brighter, changed)


@names
@few
@given(seed=seeds, gain=st.sampled_from([0.25, 0.5, 2.0, 4.0]))
def test_values_follow_the_unit_of_intensity(name: str, seed: int, gain: float) -> None:
    image, mask = scene(seed)
    expected = in_units(name, measure(name, image, mask), intensity=gain, spacing=1.0)
    assert_only(FAMILIES[name].intensity, differing(measure(name, image * gain, mask), expected))


@names
@few
@given(seed=seeds, zoom=st.sampled_from([2.0, 3.0, 4.0]))
def test_values_follow_the_unit_of_length(name: str, seed: int, zoom: float) -> None:
    image, mask = scene(seed)
    z, y, x = (zoom * s for s in SPACING_MM)
    expected = in_units(name, measure(name, image, mask), intensity=1.0, spacing=zoom)
    assert_only(FAMILIES[name].spacing, differing(measure(name, image, mask, (z, y, x)), expected))


def in_units(name: str, values: dict[str, float], *, intensity: float, spacing: float) -> dict[str, float]:
    """Values as they are when intensities and lengths are so many times as large."""
    family = load_family(name)
    found = {}
    for feature, info in family.features(family.settings()).items():
        factor = 1.0
        for unit in info.unit.split():
            of_intensity, of_length = POWERS[unit]
            factor *= intensity**of_intensity * spacing**of_length
        found[feature] = values[feature] * factor
    return found
