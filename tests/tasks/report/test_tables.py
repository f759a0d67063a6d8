import csv
import io
import json

import pandas as pd
import pytest

from storage.finding import Finding
from tasks.report.tables import COLUMNS, findings_json, write_findings_csv


def test_pandas_reads_back_every_number(finding):
    findings = [finding(), finding(number=2, confidence=0.1 + 0.2, flags=("touches_border", "small"), source_frame=3)]
    table = pd.read_csv(io.StringIO(write_findings_csv(findings)))
    assert tuple(table.columns) == COLUMNS
    for row, record in zip(table.to_dict("records"), findings, strict=True):
        assert (row["position_x_mm"], row["position_y_mm"], row["position_z_mm"]) == record.position_mm
        assert (row["slice"], row["row"], row["column"]) == record.voxel
        assert row["confidence"] == record.confidence
        assert row["volume_ml"] == record.volume_ml
        assert row["intensity_sd"] == record.intensity.sd
    assert table["flags"].tolist()[1] == "touches_border;small"
    assert table["source_frame"].isna().tolist() == [True, False]


def test_lines_end_as_rfc_4180_says_and_awkward_text_is_quoted(finding):
    text = write_findings_csv([finding(label='a "big", one\nindeed')])
    assert text.startswith(",".join(COLUMNS) + "\r\n")
    assert text.endswith("\r\n")
    assert '"a ""big"", one\nindeed"' in text
    assert next(csv.DictReader(io.StringIO(text, newline="")))["label"] == 'a "big", one\nindeed'


@pytest.mark.parametrize("start", ["=", "+", "-", "@", "\t", "\r"])
def test_text_that_a_spreadsheet_would_run_is_disarmed(finding, start):
    row = next(csv.DictReader(io.StringIO(write_findings_csv([finding(label=f"{start}cmd()")]), newline="")))
    assert row["label"] == f"'{start}cmd()"
    assert row["position_x_mm"] == "-12.5"


def test_no_findings_give_the_header_alone_and_an_empty_list():
    assert write_findings_csv([]) == ",".join(COLUMNS) + "\r\n"
    assert json.loads(findings_json([])) == []


def test_json_holds_the_records_and_csv_the_same_numbers(finding):
    findings = [finding(), finding(number=2, mask=None)]
    assert [Finding.model_validate(record) for record in json.loads(findings_json(findings))] == findings
    rows = csv.DictReader(io.StringIO(write_findings_csv(findings), newline=""))
    assert [float(row["position_z_mm"]) for row in rows] == [1 / 3, 1 / 3]


def test_an_undefined_number_is_an_empty_cell_and_null(finding):
    odd = finding(long_axis_mm=float("nan"))
    assert next(csv.DictReader(io.StringIO(write_findings_csv([odd]))))["long_axis_mm"] == ""
    assert json.loads(findings_json([odd]))[0]["long_axis_mm"] is None
