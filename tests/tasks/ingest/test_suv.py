"""SUV factors equal what one computes by hand, and doubtful headers are refused."""

from __future__ import annotations

import math
from typing import Any

import pytest
from pydicom.dataset import Dataset

from storage.errors import CaseError
from tasks.ingest.series import read_series
from tasks.ingest.suv import suv_scale

HALF_LIFE_S = 6586.2  # 18F
WEIGHT_KG, DOSE_BQ = 70, 350e6
INJECTED = 70_000 / 350e6  # g/ml per Bq/ml with the dose as injected: 2e-4


def header(tracer: dict[str, Any] | None = None, **elements: Any) -> Dataset:
    """A PET header: injected at 10:00:00, scanned from 11:49:46.2, one half-life later."""
    item = Dataset()
    values: dict[str, Any] = {
        "RadiopharmaceuticalStartTime": "100000",
        "RadionuclideTotalDose": DOSE_BQ,
        "RadionuclideHalfLife": HALF_LIFE_S,
    }
    for keyword, value in (values | (tracer or {})).items():
        if value is not None:
            setattr(item, keyword, value)
    dataset = Dataset()
    values = {
        "Units": "BQML",
        "CorrectedImage": ["NORM", "DECY", "ATTN", "SCAT"],
        "DecayCorrection": "START",
        "PatientWeight": WEIGHT_KG,
        "SeriesDate": "20200102",
        "SeriesTime": "114946.2",
        "AcquisitionDate": "20200102",
        "AcquisitionTime": "114946.2",
        "RadiopharmaceuticalInformationSequence": [item],
    }
    for keyword, value in (values | elements).items():
        if value is not None:
            setattr(dataset, keyword, value)
    return dataset


def test_values_in_gml_are_suv_already() -> None:
    assert suv_scale([header(Units="GML")]).factor == 1
    assert suv_scale([header(Units="GML", SUVType="BW")]).factor == 1


def test_after_one_half_life_the_factor_is_twice_that_of_the_injected_dose() -> None:
    factor, method = suv_scale([header()])
    assert factor == pytest.approx(2 * INJECTED, rel=1e-9)
    assert "Series Time" in method


def test_decay_correction_to_the_injection_takes_the_dose_as_it_is() -> None:
    assert suv_scale([header(DecayCorrection="ADMIN")]).factor == pytest.approx(INJECTED, rel=1e-12)


def test_a_uniform_phantom_with_the_whole_dose_has_suv_1() -> None:
    activity_bq_ml = DOSE_BQ / 2 / (WEIGHT_KG * 1000)  # half is left, spread over 70 l
    assert activity_bq_ml * suv_scale([header()]).factor == pytest.approx(1, rel=1e-9)


def test_the_earliest_bed_position_does_not_move_the_series_time() -> None:
    beds = [header(AcquisitionTime=f"12{minute:02d}00") for minute in (9, 3, 0)]
    assert suv_scale(beds).factor == pytest.approx(2 * INJECTED, rel=1e-9)


def test_an_injection_before_midnight_was_yesterday() -> None:
    times = {"SeriesTime": "003000", "AcquisitionTime": "003000"}
    factor = suv_scale([header({"RadiopharmaceuticalStartTime": "233000"}, **times)]).factor
    assert factor == pytest.approx(INJECTED * 2 ** (3600 / HALF_LIFE_S), rel=1e-9)


def test_a_full_injection_date_and_time_goes_before_the_time_of_day() -> None:
    tracer = {"RadiopharmaceuticalStartDateTime": "20200102104946.2+0100", "RadiopharmaceuticalStartTime": "000000"}
    assert suv_scale([header(tracer)]).factor == pytest.approx(INJECTED * 2 ** (3600 / HALF_LIFE_S), rel=1e-9)


def test_a_replaced_series_time_gives_way_to_the_private_scan_time() -> None:
    late = header(SeriesTime="150000")
    late.private_block(0x0009, "GEMS_PETD_01", create=True).add_new(0x0D, "DT", "20200102114946.20")
    factor, method = suv_scale([late])
    assert factor == pytest.approx(2 * INJECTED, rel=1e-9)
    assert "private" in method


def test_a_replaced_series_time_gives_way_to_the_frame_reference_time() -> None:
    # The bed began 600 s after the scan and took 180 s: its average count rate comes before the middle of the frame.
    decay = math.log(2) / HALF_LIFE_S
    average_s = math.log(decay * 180 / (1 - math.exp(-decay * 180))) / decay
    assert 89 < average_s < 90
    late = header(
        SeriesTime="150000",
        AcquisitionTime="115946.2",
        FrameReferenceTime=1000 * (600 + average_s),
        ActualFrameDuration=180_000,
    )
    factor, method = suv_scale([late])
    assert factor == pytest.approx(2 * INJECTED, rel=1e-6)
    assert "Frame Reference Time" in method


FAULTS: dict[str, tuple[Dataset, str]] = {
    "counts": (header(Units="CNTS"), "PET in units CNTS; expected GML or BQML"),
    "no units": (header(Units=None), "expected GML or BQML"),
    "lean body mass": (header(Units="GML", SUVType="LBM"), "normalized by LBM; expected body weight"),
    "no decay correction": (header(CorrectedImage=["ATTN"]), "corrected for attenuation and decay"),
    "no attenuation correction": (header(CorrectedImage="DECY"), "corrected for attenuation and decay"),
    "not corrected": (header(CorrectedImage=None), "corrected for attenuation and decay"),
    "decay NONE": (header(DecayCorrection="NONE"), "Decay Correction is NONE"),
    "no weight": (header(PatientWeight=None), "no PatientWeight"),
    "no weight given": (header(PatientWeight=0), "PatientWeight must be positive"),
    "no dose": (header({"RadionuclideTotalDose": None}), "no RadionuclideTotalDose"),
    "no half-life": (header({"RadionuclideHalfLife": None}), "no RadionuclideHalfLife"),
    "no start": (header({"RadiopharmaceuticalStartTime": None}), "no Radiopharmaceutical Start Time"),
    "no tracer": (header(RadiopharmaceuticalInformationSequence=None), "exactly one radiopharmaceutical"),
    "two tracers": (header(RadiopharmaceuticalInformationSequence=[Dataset(), Dataset()]), "exactly one"),
    "no acquisition": (header(AcquisitionTime=None), "no Acquisition Date and Time"),
    "late and nothing else": (header(SeriesTime="150000"), "no Frame Reference Time"),
    "dose a day before": (
        header({"RadiopharmaceuticalStartDateTime": "20200101000000"}),
        "between injection and scan; expected 0 to 10 half-lives",
    ),
    "dose after the scan": (header({"RadiopharmaceuticalStartDateTime": "20200102130000"}), "-4214 s between"),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_a_header_that_does_not_tell_is_refused_with_the_reason(fault: str) -> None:
    dataset, reason = FAULTS[fault]
    with pytest.raises(CaseError, match=reason):
        suv_scale([dataset])


def test_slices_in_different_units_are_refused() -> None:
    with pytest.raises(CaseError, match="slices differ in Units"):
        suv_scale([header(), header(Units="GML")])


def test_a_whole_series_in_becquerel_becomes_suv(tmp_path, write_series) -> None:
    dataset = header()
    elements = {element.keyword: element.value for element in dataset}
    raw = read_series(write_series(tmp_path / "raw", modality="PT"))
    read = read_series(write_series(tmp_path / "bq", modality="PT", **elements))
    assert read.unit == "SUV"
    assert read.facts["suv_factor"] == pytest.approx(4e-4)
    assert read.volume.array == pytest.approx(raw.volume.array * 4e-4, rel=1e-6)
