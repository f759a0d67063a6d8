"""``lesionflow compliance``: verdicts, exit codes, and the standard's own phantoms."""

from __future__ import annotations

import json
import math
import shutil
from decimal import Decimal
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from flows.cli import app
from flows.compliance import ibsi1
from flows.compliance.verdict import Reference, Verdict, as_json, judged, read_references, verdict_of


def ask(folder: Path, *more: str) -> Result:
    return CliRunner().invoke(app, ["compliance", "ibsi1", "--references", str(folder), *more])


@pytest.fixture
def digital(real_data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with the digital phantom alone, of which nothing else is asked."""
    monkeypatch.setattr(ibsi1, "TABLES", {ibsi1.DIGITAL: ibsi1.TABLES[ibsi1.DIGITAL]})
    folder = tmp_path / "ibsi"
    folder.mkdir()
    for phantom in ("ibsi_1_digital_phantom", "ibsi_1_ct_radiomics_phantom"):
        (folder / phantom).symlink_to(real_data / "ibsi" / phantom)
    shutil.copytree(real_data / "ibsi" / "reference_ibsi1", folder / "reference_ibsi1")
    return folder


@pytest.mark.parametrize(
    ("ours", "reference", "tolerance", "verdict"),
    [
        (2.1549, "2.15", "0", "pass"),  # rounded to three digits
        (2.1551, "2.15", "0", "fail"),
        (3.0005, "3", "0", "pass"),  # published as 3, meant as 3.00
        (3.006, "3", "0", "fail"),
        (125256.0, "125256", "0", "pass"),
        (125257.0, "125256", "0", "fail"),  # six digits are published
        (4.8149e6, "4810000", "0", "pass"),  # and three here
        (4.816e6, "4810000", "0", "fail"),
        (0.702, "0.698", "0.004", "pass"),  # the tolerance is part of it
        (0.70251, "0.698", "0.004", "fail"),
        (-8.64e6, "-8640000", "1560000", "pass"),
        (6.98e-5, "6.98E-05", "0", "pass"),
        (math.nan, "1", "0.5", "fail"),
        (2.16, "2.15", None, "fail"),  # no tolerance is published: there is none
        (1.0, None, None, "no reference"),
    ],
)
def test_a_value_is_rounded_to_the_published_digits_and_no_more(
    ours: float, reference: str | None, tolerance: str | None, verdict: Verdict
) -> None:
    numbers = [None if text is None else Decimal(text) for text in (reference, tolerance)]
    assert verdict_of(ours, *numbers) == verdict


def test_a_tag_that_we_do_not_have_fails_and_is_null_in_json() -> None:
    known = [Reference("a", Decimal("1"), Decimal("0")), Reference("b", None, None)]
    found = as_json(judged(known, {"b": 2.0}, configuration="A", source="NIfTI"))
    assert found["totals"] == {"pass": 0, "fail": 1, "no reference": 1}
    assert found["rows"][0] == {
        "configuration": "A",
        "source": "NIfTI",
        "tag": "a",
        "reference": 1.0,
        "tolerance": 0.0,
        "ours": None,
        "verdict": "fail",
    }


def test_a_table_without_a_column_is_refused(tmp_path: Path) -> None:
    (tmp_path / "table.csv").write_text("value;tag\n1;a\n")
    with pytest.raises(ValueError, match=r"table\.csv lacks the column tolerance"):
        read_references(tmp_path / "table.csv", value="value", tolerance="tolerance", tag="tag")


def test_a_folder_without_references_is_refused(tmp_path: Path) -> None:
    ended = ask(tmp_path)
    assert ended.exit_code == 2
    assert "no references of IBSI 1 here" in ended.output


def test_every_value_of_the_digital_phantom_is_listed_with_its_verdict(digital: Path) -> None:
    ended = ask(digital, "--json")
    assert ended.exit_code == 0
    said = json.loads(ended.stdout)
    assert said["totals"] == {"pass": 482, "fail": 0, "no reference": 5}
    row = next(row for row in said["rows"] if row["tag"] == "stat_mean")
    assert (row["reference"], row["verdict"]) == (2.15, "pass")


def test_one_value_outside_its_tolerance_is_exit_code_1(digital: Path) -> None:
    table = digital / "reference_ibsi1" / ibsi1.TABLES[ibsi1.DIGITAL]
    table.write_text(table.read_text().replace("2.15;0;stat_mean", "2.16;0;stat_mean"))
    ended = ask(digital)
    assert ended.exit_code == 1
    assert "481 of 482 values with a reference are within its tolerance." in ended.output


@pytest.mark.slow
def test_all_values_of_all_configurations_are_within_tolerance_from_dicom_and_from_nifti(real_data: Path) -> None:
    ended = ask(real_data / "ibsi", "--json")
    assert ended.exit_code == 0
    said = json.loads(ended.stdout)
    assert said["totals"] == {"pass": 3726, "fail": 0, "no reference": 55}
    assert {row["source"] for row in said["rows"]} == {"DICOM + RTSTRUCT", "NIfTI"}
    chest = [row for row in said["rows"] if row["configuration"] != ibsi1.DIGITAL]
    by_source = {source: {} for source in ("DICOM + RTSTRUCT", "NIfTI")}
    for row in chest:
        by_source[row["source"]][row["configuration"], row["tag"]] = row["ours"]
    assert by_source["NIfTI"] == pytest.approx(by_source["DICOM + RTSTRUCT"], rel=1e-6)
