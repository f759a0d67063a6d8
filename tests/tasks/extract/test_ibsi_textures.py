"""Every texture feature against the reference values of the IBSI digital phantom, under every aggregation."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tasks.extract.families import glcm, gldzm, glrlm, glszm, ngldm, ngtdm
from tasks.extract.region import Region

DIRECTIONS = ("2D_avg", "2D_comb", "2_5D_avg", "2_5D_comb", "3D_avg", "3D_comb")
WITHOUT = ("2D", "2_5D", "3D")
FAMILIES = {
    **{family: family.Settings(aggregations=DIRECTIONS) for family in (glcm, glrlm)},
    **{family: family.Settings(aggregations=WITHOUT) for family in (glszm, gldzm, ngtdm, ngldm)},
}
TAGS = [info.tag for family, settings in FAMILIES.items() for info in family.features(settings).values()]
PREFIXES = ("cm_", "rlm_", "szm_", "dzm_", "ngt_", "ngl_")


@pytest.fixture(scope="module")
def values(digital_phantom: Region) -> dict[str, float]:
    found = {}
    for family, settings in FAMILIES.items():
        infos = family.features(settings)
        found |= {infos[name].tag: value for name, value in family.compute(digital_phantom, settings).items()}
    return found


@pytest.mark.parametrize("tag", TAGS)
def test_a_texture_has_the_reference_value(
    tag: str, values: dict[str, float], meets_reference: Callable[[str, float], bool]
) -> None:
    assert meets_reference(tag, values[tag]), values[tag]


def test_all_textures_of_the_standard_are_compared(reference: dict) -> None:
    assert len(set(TAGS)) == len(TAGS) == 408
    assert set(TAGS) == {tag for tag in reference if tag.startswith(PREFIXES)}
