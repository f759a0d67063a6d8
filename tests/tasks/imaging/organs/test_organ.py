"""The contract of organs: what they are looked for on, verdicts, figures; and faults for every one of them."""

from __future__ import annotations

from typing import Any, ClassVar, Literal

import numpy as np
import pytest

from storage.errors import CaseError
from storage.volume import Volume
from tasks.imaging.organ import Organ, OrganMask, Remark, beyond, organs
from tasks.imaging.step import View

VOLUMES = [name for name, kind in organs().items() if "3-D" in kind.kinds]


class Corner(Organ):
    """The first voxel on the way; not found where that is 0."""

    kinds = frozenset({"3-D"})
    units: ClassVar[frozenset[str] | None] = frozenset({"HU"})
    parts = ("first", "second")
    name: Literal["corner"] = "corner"

    def segment(self, array: Any, view: View, body: Any) -> Any:
        return (array > 0).astype(np.uint8)

    def examine(self, labels: Any, array: Any, view: View) -> Any:
        return [Remark("doubtful", "it is a corner")]


def view_of(array: np.ndarray, unit: str = "HU") -> View:
    axes = 2 if array.shape[-1] == 3 or array.ndim == 2 else 3
    return View.of(array, (1.0,) * axes, unit=unit)


def image() -> np.ndarray:
    array = np.zeros((10, 10, 10))
    array[:2, :5, 0] = 1.0
    return array


def test_the_organs_of_the_issue_are_there() -> None:
    assert set(organs()) == {
        "body",
        "brain",
        "breast_mammography",
        "breast_ultrasound",
        "liver",
        "lungs",
        "lungs_xray",
        "optic_disc",
        "retina_field",
        "retina_vessels",
    }


def test_what_is_found_has_figures_of_its_parts_and_the_worst_verdict() -> None:
    found = Corner().find(image(), view_of(image()))
    assert found.verdict == "doubtful"
    assert found.figures == pytest.approx({"volume_l": 1e-5, "volume_l first": 1e-5, "volume_l second": 0.0})
    assert found.usable().sum() == 10
    assert found.quality()["reasons"] == ["it is a corner"]


def test_an_image_of_another_kind_or_unit_is_refused_with_the_reason() -> None:
    array = image()
    pet = Corner().find(array, view_of(array, "SUV"))
    assert pet.verdict == "refused"
    assert not pet.mask.any()
    with pytest.raises(CaseError, match="corner is looked for in HU; got 'SUV'"):
        pet.usable()
    picture = Corner().find(array[0], view_of(array[0]))
    with pytest.raises(CaseError, match="corner is looked for on 3-D images; got a 2-D one"):
        picture.usable()


def test_nothing_found_is_refused() -> None:
    found = Corner().find(image() * 0, view_of(image()))
    assert [tuple(remark) for remark in found.remarks] == [("refused", "no corner found")]


def test_a_figure_is_doubtful_beyond_what_is_usual_and_refused_beyond_what_is_possible() -> None:
    limits: dict[str, Any] = {"usual": (1.0, 9.0), "possible": (0.2, 12.0)}
    assert beyond("volume", 4.0, "l", **limits) == []
    assert beyond("volume", 0.4, "l", **limits) == [("doubtful", "volume 0.4 l below 1 l")]
    assert beyond("volume", 0.1, "l", **limits) == [("refused", "volume 0.1 l below 0.2 l")]
    assert beyond("volume", 10.0, "l", **limits) == [("doubtful", "volume 10 l above 9 l")]


def test_of_several_remarks_only_those_that_refuse_are_raised() -> None:
    remarks = (Remark("doubtful", "small"), Remark("refused", "round"), Remark("refused", "green"))
    found = OrganMask("apple", np.ones((2, 2), np.uint8), ("apple",), remarks)
    assert found.verdict == "refused"
    with pytest.raises(CaseError, match=r"^round; green$"):
        found.usable()


@pytest.mark.parametrize("name", organs())
def test_an_image_of_one_intensity_is_refused_and_crashes_nothing(name: str) -> None:
    kind = organs()[name]
    units = kind.units or {"HU", "arbitrary"}
    shape = (6, 24, 24) if "3-D" in kind.kinds else (40, 40, 3) if "colour" in kind.kinds else (40, 40)
    for value in (-1000.0, 7.0):
        array = np.full(shape, value, np.float32)
        found = kind().find(array, View.of(array, (3.0,) * (3 if "3-D" in kind.kinds else 2), unit=min(units)))
        if name != "body" or value < 0:  # 7 HU everywhere is a body that fills the scan
            assert found.verdict == "refused", value
        assert found.labels.shape == (shape[:2] if shape[-1] == 3 else shape)


@pytest.mark.parametrize("name", organs())
def test_noise_and_single_slices_crash_nothing(name: str) -> None:
    kind = organs()[name]
    unit = min(kind.units or {"arbitrary"})
    rng = np.random.default_rng(0)
    shapes = (
        [(1, 20, 20), (5, 2, 3)] if "3-D" in kind.kinds else [(40, 40, 3)] if "colour" in kind.kinds else [(40, 30)]
    )
    for shape in shapes:
        array = rng.normal(0, 300, shape).astype(np.float32)
        found = kind().find(array, View.of(array, (2.0,) * (3 if "3-D" in kind.kinds else 2), unit=unit))
        assert found.labels.dtype == np.uint8
        assert found.labels.max() <= len(found.parts)


@pytest.mark.parametrize("name", VOLUMES)
def test_a_volume_is_looked_at_with_its_own_unit(name: str) -> None:
    array = np.zeros((4, 8, 8), np.float32)
    found = organs()[name]().find_in(Volume(array, (1.0, 1.0, 1.0), unit="hours"))
    assert found.verdict == "refused"
