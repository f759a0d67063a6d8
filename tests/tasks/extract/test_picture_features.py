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
    haar_like,
    hog,
    scattering,
    size_and_border,
    wavelet,
)
from tasks.extract.picture_registry import load_picture_family, picture_family_names
from tasks.extract.picture_settings import OF_THE_PLAIN_RULES, PictureSettings
from tasks.extract.pictures import picture_feature_info, picture_features
from tasks.imaging.framed_grey import standardized_grey
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


def test_half_a_picture_that_is_brighter_has_one_sub_band() -> None:
    """Of a step of 1 between two blocks of 64 pixels, levels that do not straddle it see nothing."""
    values = np.full((128, 128), 1)
    values[:, 64:] = 255
    found = of("wavelet", grey(values), blocks=1, levels=5)
    faint = pytest.approx(math.log(wavelet.FAINT))
    assert all(found[f"level_{n}_{band}_log_energy_y0_x0"] == faint for n in range(1, 6) for band in ("x", "y", "xy"))
    assert all(math.isnan(found[f"level_{n}_x_entropy_y0_x0"]) for n in range(1, 6))
    assert found["approximation_mean_absolute_y0_x0"] == pytest.approx(0.5)
    assert found["approximation_entropy_y0_x0"] == pytest.approx(math.log(8) / math.log(16))


@pytest.mark.parametrize(("along", "seen", "others"), [(False, "x", ("y", "xy")), (True, "y", ("x", "xy"))])
def test_stripes_of_one_pixel_are_in_the_finest_band_across_them(along: bool, seen: str, others: tuple[str]) -> None:
    lines = np.broadcast_to(np.where(np.arange(128) % 2, 200, 50), (128, 128))
    found = of("wavelet", grey(lines.T if along else lines))
    # Half the difference of neighbours, which are 0 and 1.
    assert found[f"level_1_{seen}_mean_absolute_y2_x1"] == pytest.approx(0.5)
    assert found[f"level_1_{seen}_log_energy_y2_x1"] == pytest.approx(math.log(0.25), abs=1e-5)
    assert found[f"level_1_{seen}_entropy_y2_x1"] == pytest.approx(1)
    assert [found[f"level_1_{band}_mean_absolute_y2_x1"] for band in others] == [0, 0]
    assert found["level_2_x_mean_absolute_y2_x1"] == pytest.approx(0, abs=1e-9)


def test_sub_bands_are_those_of_pywavelets_for_another_wavelet() -> None:
    import pywt

    values = np.random.default_rng(5).integers(1, 256, (64, 64))
    found = of("wavelet", grey(values), side=64, wavelet="db2", levels=2, blocks=2)
    [_, (rows, _, _), (_, _, points)] = pywt.wavedec2(
        standardized_grey(grey(values), 64)[0].astype(float), "db2", mode="periodization", level=2
    )
    assert found["level_2_y_mean_absolute_y0_x1"] == pytest.approx(np.abs(rows[:8, 8:]).mean() / 4)
    assert found["level_1_xy_mean_absolute_y1_x0"] == pytest.approx(np.abs(points[16:, :16]).mean() / 2)
    with pytest.raises(ValidationError, match="choose from: bior"):
        wavelet.Settings(wavelet="magic")


def test_haar_like_features_of_a_brighter_half_by_hand() -> None:
    """Two boxes of 16 pixels answer to the step at 64 from every point within 16, the less the further it lies."""
    values = np.full((128, 128), 1)
    values[:, 64:] = 255
    found = of("haar_like", grey(values), sizes_px=(16,), blocks=2)
    # Points at 2, 6, 10, …: four on each side, of 16 in a row of a block; the first two rows reach beyond the picture.
    shares = sum((16 - far) / 16 for far in (2, 6, 10, 14)) / 16 * (10 / 16 + 14 / 16 + 14) / 16
    assert found["two_x_16px_y0_x0_above"] == found["two_x_16px_y0_x1_above"] == pytest.approx(shares)
    assert found["two_x_16px_y0_x0_below"] == 0
    assert found["two_x_16px_y1_x1_below"] == pytest.approx(shares)  # its other edge: beyond the picture it is dark
    assert found["two_y_16px_y1_x0_above"] == 0


def test_haar_like_features_are_those_of_the_sums_of_their_boxes() -> None:
    framed = grey(np.random.default_rng(3).integers(1, 256, (64, 64)))
    found = of("haar_like", framed, side=64, sizes_px=(4,), blocks=16)  # one point in each block, at 2, 6, 10, …
    values = standardized_grey(framed, 64)[0].astype(float)

    def mean(y: int, x: int) -> float:
        return float(values[y : y + 4, x : x + 4].mean())

    y, x = 30, 22
    expected = {
        "two_x": mean(y - 2, x) - mean(y - 2, x - 4),
        "two_y": mean(y, x - 2) - mean(y - 4, x - 2),
        "three_x": mean(y - 2, x - 2) - (mean(y - 2, x - 6) + mean(y - 2, x + 2)) / 2,
        "three_y": mean(y - 2, x - 2) - (mean(y - 6, x - 2) + mean(y + 2, x - 2)) / 2,
        "four_yx": (mean(y - 4, x) + mean(y, x - 4) - mean(y - 4, x - 4) - mean(y, x)) / 2,
    }
    for pattern, value in expected.items():
        above, below = (found[f"{pattern}_4px_y7_x5_{sign}"] for sign in ("above", "below"))
        assert above - below == pytest.approx(value)
        assert min(above, below) == 0


def test_sizes_that_do_not_fit_are_refused() -> None:
    for settings in (
        block_histogram.Settings,
        block_patterns.Settings,
        haar_like.Settings,
        scattering.Settings,
        wavelet.Settings,
    ):
        with pytest.raises(ValidationError, match="whole blocks"):
            settings(blocks=7)
    with pytest.raises(ValidationError, match="multiple of 2"):
        haar_like.Settings(sizes_px=(3,))
    with pytest.raises(ValidationError, match="larger than the picture"):
        hog.Settings(side=16, cell=16)


def test_a_study_gets_what_it_asks_for_and_what_the_plain_rules_need() -> None:
    chosen = PictureSettings.model_validate({"families": ["block_histogram", "hog"], "block_histogram": {"blocks": 2}})
    features = picture_features(disc(), DISC, chosen)
    assert list(features) == list(picture_feature_info(chosen))
    assert list(dict.fromkeys(name.split(".")[0] for name in features)) == [*OF_THE_PLAIN_RULES, "block_histogram"]
    sizes = (len(size_and_border.FEATURES), len(first_order.FEATURES), 16 * 13 * 3, 7 * 7 * 4 * 9, 2 * 2 * 8)
    assert sizes[0] == 15
    assert len(features) == sum(sizes)
    assert "20°" in picture_feature_info(chosen)["hog.0001"].description


def test_unknown_families_are_refused_with_the_choices() -> None:
    with pytest.raises(ValidationError, match="block_patterns"):
        PictureSettings(families=("magic",))
    with pytest.raises(ValidationError, match="once"):
        PictureSettings(families=("hog", "hog"))
