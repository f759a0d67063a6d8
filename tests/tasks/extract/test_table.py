"""The feature table, its dictionary and its settings."""

from __future__ import annotations

import json

import numpy as np
import pandas as pd
import pytest
from pydantic import ValidationError

from storage.volume import Volume
from tasks.extract.registry import family_names, load_family
from tasks.extract.settings import Settings
from tasks.extract.table import data_dictionary, extract_features
from tasks.imaging.candidate_set import CandidateSet, Piece


def scene(shift: int = 0, count: int = 2) -> tuple[Volume, CandidateSet]:
    """Noise with balls of 11 voxels across, at a place that ``shift`` moves."""
    image = np.random.default_rng(0).normal(size=(60, 60, 60)).astype(np.float32)
    z, y, x = np.ogrid[-5:6, -5:6, -5:6]
    ball = z**2 + y**2 + x**2 <= 25
    starts = [(20 + shift, 20, 20 + 3 * k) for k in range(count)]
    pieces = [Piece("blob", 1.0, tuple(slice(a, a + 11) for a in start), ball) for start in starts]  # type: ignore[arg-type]
    image = np.roll(image, shift, axis=0)
    return Volume(image, (1.5, 1.0, 1.0), unit="HU"), CandidateSet.from_pieces(
        pieces, image, voxel_ml=0.0015, scores=[0.0] * count
    )


def test_one_row_per_candidate_and_the_columns_of_the_dictionary() -> None:
    table = extract_features(*scene())
    assert table.columns[0] == "number"
    assert table["number"].tolist() == [1, 2]
    assert table.columns[1:].tolist() == data_dictionary()["name"].tolist()
    assert (table.dtypes.iloc[1:] == "float64").all()
    assert table.notna().all(axis=None)


def test_families_stand_in_the_order_of_the_settings() -> None:
    columns = extract_features(*scene(), Settings(families=("shape", "first_order"))).columns
    families = [c.split(".")[0] for c in columns[1:]]
    assert list(dict.fromkeys(families)) == ["shape", "first_order"]


def test_a_value_is_the_familys_own() -> None:
    image, candidates = scene()
    box, mask = candidates.mask(1)
    assert extract_features(image, candidates).loc[1, "first_order.mean"] == pytest.approx(
        image.array[box][mask].mean(), abs=1e-6
    )


def test_no_feature_knows_where_the_candidate_lies() -> None:
    one, other = extract_features(*scene()), extract_features(*scene(shift=7))
    pd.testing.assert_frame_equal(one, other, rtol=1e-5)


def test_the_same_input_gives_the_same_bytes() -> None:
    assert extract_features(*scene()).to_numpy().tobytes() == extract_features(*scene()).to_numpy().tobytes()


def test_no_candidates_give_no_rows_and_all_columns() -> None:
    image, _ = scene()
    none = CandidateSet.from_pieces([], image.array, voxel_ml=1.0, scores=[])
    table = extract_features(image, none)
    assert len(table) == 0
    assert table.columns.tolist() == extract_features(*scene()).columns.tolist()


def test_an_undefined_value_stays_as_nan() -> None:
    image, _ = scene()
    one_voxel = Piece("blob", 1.0, (slice(5, 6),) * 3, np.ones((1, 1, 1), bool))
    candidates = CandidateSet.from_pieces([one_voxel], image.array, voxel_ml=1.0, scores=[0.0])
    table = extract_features(image, candidates)
    assert table.columns[table.isna().any()].tolist() == [
        "shape.elongation",
        "shape.flatness",
        "shape.volume_density_ellipsoid",
        "shape.area_density_ellipsoid",
    ]


def test_the_dictionary_names_code_unit_and_settings() -> None:
    rows = data_dictionary(Settings.model_validate({"haar_wavelet": {"scale": "linear"}}), unit="SUV").set_index("name")
    assert rows.loc["first_order.mean", "ibsi_code"] == "Q4LE"
    assert rows.loc["first_order.variance", "unit"] == "SUV2"
    assert rows.loc["shape.integrated_intensity", "unit"] == "SUV mm3"
    assert rows.loc["haar_wavelet.level_1_x", "ibsi_code"] == ""
    assert json.loads(rows.loc["haar_wavelet.level_1_x", "settings"])["scale"] == "linear"


def test_every_family_declares_what_it_computes_with_a_line_for_each() -> None:
    image, candidates = scene(count=1)
    for name in family_names():
        table = extract_features(image, candidates, Settings(families=(name,)))
        family = load_family(name)
        infos = family.features(family.settings())
        assert [c.split(".", 1)[1] for c in table.columns[1:]] == list(infos)
        assert all(info.description.endswith(".") and info.unit for info in infos.values())
        codes = [info.ibsi_code for info in infos.values() if info.ibsi_code]
        assert len(codes) == len(set(codes))


def test_an_unknown_family_is_refused_with_the_choices() -> None:
    with pytest.raises(ValidationError, match=r"no 'glmc' in .*; choose from: .*haar_wavelet, .*shape"):
        Settings(families=("glmc",))
    with pytest.raises(ValueError, match="'families' is no feature family"):
        Settings().block("families")


def test_a_typo_in_a_familys_block_is_refused() -> None:
    with pytest.raises(ValidationError, match=r"haar_wavelet\.level\n"):
        Settings.model_validate({"haar_wavelet": {"level": 2}})


def test_each_family_is_named_once() -> None:
    with pytest.raises(ValidationError, match="each family once"):
        Settings(families=("shape", "shape"))
    with pytest.raises(ValidationError, match="at least one; got none"):
        Settings(families=())


def test_settings_round_trip_with_every_familys_block() -> None:
    settings = Settings.model_validate({"haar_wavelet": {"levels": 2}})
    dumped = settings.model_dump(mode="json")
    assert dumped["haar_wavelet"]["levels"] == 2
    assert Settings.model_validate(dumped) == settings
