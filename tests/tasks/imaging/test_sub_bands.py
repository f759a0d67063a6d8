"""Names of sub-bands, and their energies combined."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
import pywt

from tasks.imaging.sub_bands import combined_energy, detail_axes, detail_keys


@pytest.mark.parametrize("axes", [2, 3])
def test_the_bands_are_those_of_pywavelets_without_the_approximation(axes: int) -> None:
    theirs = set(pywt.dwtn(np.zeros((2,) * axes), "haar"))
    assert set(detail_keys(axes)) == theirs - {"a" * axes}


def test_a_band_is_named_by_the_axes_along_which_neighbours_are_subtracted() -> None:
    assert [detail_axes(key) for key in detail_keys(3)] == ["x", "y", "z", "xy", "xz", "yz", "xyz"]
    assert [detail_axes(key) for key in detail_keys(2)] == ["x", "y", "xy"]


def test_a_band_without_a_weight_does_not_count() -> None:
    energies = {"x": 2.0, "y": 3.0, "xy": 100.0}
    assert combined_energy(energies, {"x": 1.0, "y": 0.5}) == pytest.approx(3.5)
    assert combined_energy(energies, {}) == 0.0


def test_weights_serve_a_table_as_they_serve_one_region() -> None:
    table = pd.DataFrame({"x": [1.0, 2.0], "y": [10.0, 20.0]})
    assert combined_energy(dict(table.items()), {"x": 1.0, "y": -0.1}).tolist() == [0.0, 0.0]


def test_a_weight_of_no_band_is_refused() -> None:
    with pytest.raises(ValueError, match="no band z; choose from: x, y"):
        combined_energy({"x": 1.0, "y": 1.0}, {"z": 1.0})
