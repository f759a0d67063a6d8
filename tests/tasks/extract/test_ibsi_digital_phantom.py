"""Every feature that the IBSI has a value of on its digital phantom has that value, whichever family it is in.

A family is covered by the tags of its features: it is enough that ``lesionflow compliance ibsi1`` asks for it.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from flows.compliance.ibsi1 import DIGITAL, FAMILIES, TABLES, configuration, values
from flows.compliance.phantoms import from_nifti
from flows.compliance.verdict import Row, judged, read_references
from tasks.extract.registry import family_names, load_family

SETTINGS = configuration(DIGITAL)
TAGS = {name: [i.tag for i in load_family(name).features(SETTINGS.block(name)).values()] for name in FAMILIES}


@pytest.fixture(scope="module")
def rows(real_data: Path) -> dict[str, Row]:
    folder = real_data / "ibsi"
    ours = values(from_nifti(folder / "ibsi_1_digital_phantom" / "nifti", "arbitrary"), SETTINGS)
    table = folder / "reference_ibsi1" / TABLES[DIGITAL]
    known = read_references(table, value="reference value", tolerance="tolerance", tag="tag")
    return {row.tag: row for row in judged(known, ours, configuration=DIGITAL, source="NIfTI")}


@pytest.mark.parametrize("family", FAMILIES)
def test_all_features_of_a_family_have_the_reference_value(family: str, rows: dict[str, Row]) -> None:
    compared = [rows[tag] for tag in TAGS[family] if rows[tag].reference is not None]
    assert compared
    assert [row for row in compared if row.verdict != "pass"] == []


def test_every_row_of_the_table_is_a_feature_of_one_family(rows: dict[str, Row]) -> None:
    tags = [tag for family in FAMILIES for tag in TAGS[family]]
    assert len(set(tags)) == len(tags)
    assert set(tags) == set(rows)


def test_every_family_with_tags_of_the_standard_is_compared() -> None:
    tagged = []
    for name in family_names():
        family = load_family(name)
        if any(info.tag for info in family.features(family.settings()).values()):
            tagged.append(name)
    assert sorted(tagged) == sorted(FAMILIES)
