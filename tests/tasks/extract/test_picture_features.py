"""Features of pictures by hand; the framed ones do not see how a picture was saved."""

from __future__ import annotations

import math

import numpy as np
import pytest
from pydantic import ValidationError

from storage.errors import CaseError
from tasks.extract.picture_families import (
    block_histogram,
    block_patterns,
    first_order,
    hog,
    scattering,
    size_and_border,
)
from tasks.extract.picture_registry import load_picture_family, picture_family_names
from tasks.extract.picture_settings import OF_THE_PLAIN_RULES, PictureSettings
from tasks.extract.pictures import picture_feature_info, picture_features
from tasks.imaging.picture_frame import Settings, frame_picture
from tasks.settings import StageSettings

Array = np.ndarray
NAMES = picture_family_names()


def disc(shape: tuple[int, int] = (100, 80), at: tuple[int, int] = (10, 20), *, level: int = 0) -> Array:
    """A disc of 50 pixels' diameter and grey values 100–199."""
    y, x = np.mgrid[:50, :50]
    mask = (y - 24.5) ** 2 + (x - 24.5) ** 2 <= 25**2
    picture = np.full((*shape, 3), level, dtype=np.uint8)
    picture[at[0] : at[0] + 50, at[1] : at[1] + 50][mask] = (100 + (y + x)[mask])[:, None]
    return picture


def grey(values: Array) -> Array:
    """A framed picture of these grey values."""
    return np.repeat(np.asarray(values, dtype=np.uint8)[..., None], 3, axis=-1)


def of(name: str, framed: Array, original: Array | None = None, **options: object) -> dict[str, float]:
    family = load_picture_family(name)
    return family.compute(framed if original is None else original, framed, family.settings(**options))


DISC = frame_picture(disc(), Settings(size=128))


@pytest.mark.parametrize("name", NAMES)
class TestEveryFamily:
    """One fact a test, for each file of the folder."""

    def test_has_settings_with_defaults_that_refuse_unknown_keys(self, name: str) -> None:
        settings = load_picture_family(name).settings
        assert issubclass(settings, StageSettings)
        settings()
        with pytest.raises(ValidationError, match="Extra inputs"):
            settings(no_such_option=1)

    def test_gives_the_columns_that_it_describes(self, name: str) -> None:
        family = load_picture_family(name)
        infos, values = family.features(family.settings()), of(name, DISC, disc())
        assert list(values) == list(infos)
        for column, value in values.items():
            assert type(value) is float
            assert infos[column].description.endswith(".")
            assert math.isfinite(value) or infos[column].nan_when

    def test_says_in_one_line_what_it_is(self, name: str) -> None:
        assert load_picture_family(name).says.endswith((".", ":"))

    def test_knows_what_to_do_with_a_picture_of_one_grey_value(self, name: str) -> None:
        assert len(of(name, grey(np.full((128, 128), 9)))) > 0


@pytest.mark.parametrize("name", sorted({*NAMES} - {"size_and_border"}))
def test_what_was_framed_does_not_tell_how_it_was_saved(name: str) -> None:
    saved = [disc((300, 90), (200, 5), level=level) for level in (0, 40, 255)]  # searched in a smaller copy
    framed = [frame_picture(picture, Settings(size=64)) for picture in saved]
    assert (
        len({tuple(np.nan_to_num(list(of(name, one, s).values()))) for one, s in zip(framed, saved, strict=True)}) == 1
    )
    assert len({tuple(of("size_and_border", framed[0], picture).values()) for picture in saved}) == 3


def test_size_and_border_by_hand() -> None:
    picture = disc(level=30)
    picture[-4:, :4] = 255
    values = of("size_and_border", DISC, picture)
    assert (values["width"], values["height"], values["aspect"]) == (80, 100, 0.8)
    assert values["bottom_left"] == pytest.approx(255)
    assert [values[f"{side}_mean"] for side in ("top", "right")] == pytest.approx([30, 30])
    assert values["bottom_mean"] == pytest.approx(30 + 225 * 4 / 80)
    assert values["left_mean"] == pytest.approx(30 + 225 * 4 / 100)
    assert values["left_sd"] == pytest.approx(225 * math.sqrt(0.04 * 0.96))
    assert values["top_sd"] == pytest.approx(0)


def test_nothing_inside_the_border_is_looked_at() -> None:
    other = disc()
    other[4:-4, 4:-4] = np.random.default_rng(0).integers(0, 256, (92, 72, 3))
    assert of("size_and_border", DISC, other) == of("size_and_border", DISC, disc())


def test_first_order_of_a_framed_picture_by_hand() -> None:
    framed = np.zeros((16, 16, 3), dtype=np.uint8)
    framed[2, 2:6] = np.array([1, 3, 5, 7])[:, None]
    values = of("first_order", framed)
    assert (values["mean"], values["maximum"], values["energy"]) == pytest.approx((4, 7, 84))
    assert len(values) == 18
    with pytest.raises(CaseError, match="nothing is left"):
        of("first_order", np.zeros((16, 16, 3), dtype=np.uint8))


def stripes(*, along: bool) -> Array:
    values = np.broadcast_to(np.where(np.arange(128) // 8 % 2, 200, 50), (128, 128))
    return grey(values.T if along else values)


def test_the_gradients_of_stripes_point_across_them() -> None:
    for along in (False, True):
        histogram = np.array(list(of("hog", stripes(along=along)).values())).reshape(-1, 9).sum(axis=0)
        assert int(histogram.argmax()) == (4 if along else 0)


def test_a_block_of_one_grey_value_has_one_bin_and_one_pattern() -> None:
    values = np.full((128, 128), 1)
    values[:, 64:] = 255
    shares = np.array(list(of("block_histogram", grey(values), blocks=2, bins=4).values())).reshape(2, 2, 4)
    assert shares[:, 0].tolist() == [[1, 0, 0, 0]] * 2
    assert shares[:, 1].tolist() == [[0, 0, 0, 1]] * 2
    patterns = np.array(list(of("block_patterns", grey(values), radii_px=(1,)).values())).reshape(4, 4, 59)
    assert np.allclose((patterns**2).sum(axis=-1), 1)
    assert (patterns[:, 0].max(axis=-1) > 0.9).all()  # far from the edge


def test_the_wavelets_across_the_stripes_answer_to_them() -> None:
    def strength(along: bool) -> dict[str, float]:
        return of("scattering", stripes(along=along), blocks=1)

    upright, lying = strength(along=False), strength(along=True)
    firsts = [f"y0_x0_s2_d{turn}" for turn in range(4)]
    assert max(firsts, key=upright.__getitem__) == firsts[0]
    assert max(firsts, key=lying.__getitem__) == firsts[2]
    # Turned by a quarter, the same numbers of the other directions.
    assert upright["y0_x0_s1_d0"] == pytest.approx(lying["y0_x0_s1_d2"], abs=1e-3)
    assert upright["y0_x0_mean"] == pytest.approx(math.log(0.501), abs=0.01)


def test_a_second_wavelet_is_larger_than_the_first() -> None:
    names = [name for name in scattering.features(scattering.Settings(blocks=1)) if name.count("_s") == 2]
    assert len(names) == (3 + 2 + 1) * 4 * 4
    assert all(name.split("_")[2] < name.split("_")[4] for name in names)


def test_sizes_that_do_not_fit_are_refused() -> None:
    for settings in (block_histogram.Settings, block_patterns.Settings, scattering.Settings):
        with pytest.raises(ValidationError, match="whole blocks"):
            settings(blocks=7)
    with pytest.raises(ValidationError, match="larger than the picture"):
        hog.Settings(side=16, cell=16)


def test_a_study_gets_what_it_asks_for_and_what_the_plain_rules_need() -> None:
    chosen = PictureSettings.model_validate({"families": ["block_histogram", "hog"], "block_histogram": {"blocks": 2}})
    features = picture_features(disc(), DISC, chosen)
    assert list(features) == list(picture_feature_info(chosen))
    assert list(dict.fromkeys(name.split(".")[0] for name in features)) == [*OF_THE_PLAIN_RULES, "block_histogram"]
    sizes = (len(size_and_border.FEATURES), len(first_order.FEATURES), 7 * 7 * 4 * 9, 2 * 2 * 8)
    assert sizes[0] == 15
    assert len(features) == sum(sizes)
    assert "20°" in picture_feature_info(chosen)["hog.0001"].description


def test_unknown_families_are_refused_with_the_choices() -> None:
    with pytest.raises(ValidationError, match="block_patterns"):
        PictureSettings(families=("magic",))
    with pytest.raises(ValidationError, match="once"):
        PictureSettings(families=("hog", "hog"))
