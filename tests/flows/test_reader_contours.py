"""Contours of several readers beside a series: majority, holes, heights without a slice."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np

from flows.examples import find_examples
from flows.reader_contours import contours_beside, read_contours
from storage.volume import Volume
from tasks.phantom.dicom import Study, write_ct_series

GRID = Volume(np.zeros((3, 20, 30)), (2.0, 1.0, 1.0), (0.0, 0.0, -10.0), unit="HU")


def square(z: float, low: int, high: int, *, inclusion: bool = True) -> dict[str, Any]:
    """Columns `low` to `high`, rows 5 to 9."""
    return {"z": z, "inclusion": inclusion, "ij": [[low, 5], [high, 5], [high, 9], [low, 9]]}


def write(folder: Path, *readers: list[dict[str, Any]]) -> Path:
    path = folder / "pylidc_annotations.json"
    path.write_text(json.dumps([{"annotation": n, "contours": contours} for n, contours in enumerate(readers)]))
    return path


def test_what_half_of_the_readers_drew_is_taken_in_columns_and_rows(tmp_path: Path) -> None:
    path = write(tmp_path, [square(-8.0, 10, 20)], [square(-8.0, 10, 15)], [square(-6.0, 10, 12)])
    mask = read_contours(path, GRID)
    expected = np.zeros(GRID.shape, bool)
    expected[1, 5:10, 10:16] = True
    assert np.array_equal(mask, expected)


def test_a_hole_is_cut_out_in_whatever_order_it_comes(tmp_path: Path) -> None:
    hole = square(-10.0, 13, 14, inclusion=False)
    mask = read_contours(write(tmp_path, [hole, square(-10.0, 10, 20)]), GRID)
    assert mask[0, 7, 11]
    assert not mask[0, 7, 13]


def test_a_height_without_a_slice_is_left_out(tmp_path: Path) -> None:
    assert not read_contours(write(tmp_path, [square(50.0, 10, 20)]), GRID).any()


def test_the_file_is_found_in_the_folder_or_above_but_not_above_the_top(tmp_path: Path) -> None:
    (tmp_path / "case" / "dicom").mkdir(parents=True)
    path = write(tmp_path / "case", [])
    assert contours_beside(tmp_path / "case" / "dicom", tmp_path) == path
    assert contours_beside(tmp_path / "case" / "dicom", tmp_path / "case" / "dicom") is None
    assert contours_beside(tmp_path, tmp_path) is None


def test_of_two_series_the_contoured_one_is_the_first_example_and_has_its_lesion(tmp_path: Path) -> None:
    for name, slices in (("large", 8), ("contoured", 6)):
        (tmp_path / name / "dicom").mkdir(parents=True)
        volume = Volume(np.zeros((slices, 48, 48), np.int16), (2.0, 1.0, 1.0), (0.0, 0.0, -10.0), unit="HU")
        files = [tmp_path / name / "dicom" / f"{number}.dcm" for number in range(slices)]
        write_ct_series(volume, Study(name, "NAME", "ID"), files)
    write(tmp_path / "contoured", [square(-8.0, 10, 20)])
    first, second = find_examples(tmp_path)["CT"]
    assert (len(first.array), len(second.array)) == (6, 8)
    assert first.lesion is not None
    assert first.lesion.sum() == 5 * 11
    assert second.lesion is None
