"""Filters against what the IBSI has published: response maps voxel by voxel, and statistics of responses on a CT."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import SimpleITK as sitk
from typer.testing import CliRunner

from flows.cli import app
from flows.compliance.ibsi2 import FILTERS, compare_statistics
from flows.compliance.response_maps import ESTABLISHED, RIESZ, RIESZ_TESTS, TESTS, compare_maps, deviation_percent
from storage.errors import CaseError

AT_HAND = {"1.a.1", "1.b.1", "2.a", "3.a.1", "5.a.1", "5.a.2", "7.a.1"}


@pytest.fixture(scope="module")
def ibsi(real_data: Path) -> Path:
    return real_data / "ibsi"


@pytest.fixture
def copied(ibsi: Path, tmp_path: Path) -> Path:
    """The response maps alone, to be changed; the phantoms and the rest are the original ones."""
    for folder in ("ibsi_2_digital_phantom", "ibsi_1_ct_radiomics_phantom"):
        (tmp_path / folder).symlink_to(ibsi / folder)
    maps = Path("reference_ibsi2") / "reference_response_maps"
    shutil.copytree(ibsi / maps, tmp_path / maps)
    return tmp_path


def run(*arguments: str) -> tuple[int, str]:
    done = CliRunner().invoke(app, ["compliance", "ibsi2", *arguments])
    return done.exit_code, done.output


def test_the_standard_has_thirty_established_maps_and_three_of_riesz() -> None:
    names = [one.test for one in (*TESTS, *RIESZ_TESTS)]
    assert (len(TESTS), len(RIESZ_TESTS)) == (30, 3)
    assert len(set(names)) == 33
    assert {one.file for one in TESTS} >= {"1_a_1-ValidCRM.nii", "8_a_3-ValidCRM.nii"}


def test_the_maps_at_hand_agree_and_the_others_are_not_said_to_pass(ibsi: Path) -> None:
    rows = compare_maps(ibsi)
    assert {row.tag for row in rows if row.configuration == ESTABLISHED} == {one.test for one in TESTS}
    assert [row.tag for row in rows if row.configuration == RIESZ] == ["9.a", "9.b.1", "10.b.1"]
    found = {row.tag: row for row in rows}
    for test in AT_HAND:
        assert found[test].verdict == "pass"
        assert found[test].ours < 0.03
    assert {row.verdict for row in rows if row.tag not in AT_HAND} == {"no reference"}


def test_all_323_statistics_with_a_reference_are_within_its_tolerance(ibsi: Path) -> None:
    rows = compare_statistics(ibsi)
    assert list(dict.fromkeys(row.configuration for row in rows)) == list(FILTERS)
    assert [f"{row.configuration} {row.tag}" for row in rows if row.verdict == "fail"] == []
    assert sum(row.verdict == "pass" for row in rows) == 323
    assert [(row.configuration, row.tag) for row in rows if row.verdict == "no reference"] == [("8.B", "stat_qcod")]


def test_one_voxel_beyond_a_hundredth_of_the_range_fails(copied: Path) -> None:
    file = copied / "reference_ibsi2" / "reference_response_maps" / "3_a_1-ValidCRM.nii"
    image = sitk.ReadImage(str(file))
    changed = sitk.GetArrayFromImage(image)
    changed[5, 6, 7] += 0.0101 * np.ptp(changed)
    sitk.WriteImage(sitk.GetImageFromArray(changed), str(file))
    (row,) = (row for row in compare_maps(copied) if row.tag == "3.a.1")
    assert row.verdict == "fail"
    assert row.ours == pytest.approx(1.01, abs=1e-4)


def test_maps_of_another_shape_are_no_maps_of_ours() -> None:
    assert deviation_percent(np.array([0.0, 1.0]), np.array([0.0, 2.0])) == 50
    with pytest.raises(CaseError, match=r"expected a reference map of \(2,\); got \(3,\)"):
        deviation_percent(np.zeros(2), np.zeros(3))


def test_the_command_prints_totals_and_ends_well(ibsi: Path) -> None:
    code, output = run("--references", str(ibsi), "--json")
    assert code == 0, output
    assert json.loads(output)["totals"] == {"pass": 330, "fail": 0, "no reference": 27}


def test_the_command_ends_with_two_where_references_are_missing(copied: Path, tmp_path_factory) -> None:
    code, output = run("--references", str(copied))
    assert code == 2
    assert "reference_values.csv" in output.replace("\n", "")
    code, output = run("--references", str(tmp_path_factory.mktemp("empty")))
    assert code == 2
    assert "ibsi_2_digital_phantom" in output.replace("\n", "")
