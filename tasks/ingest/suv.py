"""From activity to standardized uptake value by body weight (SUVbw).

SUVbw is the activity concentration divided by the injected dose per body weight, both at the same time; with 1 ml of
tissue weighing 1 g it is in g/ml. Vendors write DICOM PET in different ways; we follow the vendor-neutral pseudo-code
of the QIBA FDG-PET/CT profile 1.13 (appendix G), and refuse what it does not cover rather than guess.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from typing import NamedTuple

from pydicom.dataset import Dataset

from storage.errors import CaseError
from tasks.ingest.slices import element, guarded, number, text

DECAY_LIMIT_HALF_LIVES = 10
"""Nothing is left to measure after so long: the times in the header contradict each other."""


class SuvScale(NamedTuple):
    """Factor from rescaled values to SUVbw, and how it was found."""

    factor: float
    method: str


def suv_scale(headers: Sequence[Dataset]) -> SuvScale:
    """Find the factor that turns rescaled PET values into SUVbw.

    - Units GML with SUV Type BW or none: 1.
    - Units BQML: ``weight_g / dose_bq``, with the dose at the time that the image was decay-corrected to: the start
      of the scan (Decay Correction START) or the injection (ADMIN).

    Parameters
    ----------
    headers
        Headers of all slices of the series.

    Raises
    ------
    CaseError
        Another unit or SUV type, no attenuation or decay correction, or a value that is needed is missing or makes no
        sense.
    """
    first = headers[0]
    for keyword in ("Units", "SUVType", "DecayCorrection"):
        if len({text(header, keyword) for header in headers}) > 1:
            raise CaseError(f"slices differ in {keyword}")
    units = text(first, "Units")
    if units == "GML":
        kind = text(first, "SUVType") or "BW"
        if kind != "BW":
            raise CaseError(f"uptake normalized by {kind}; expected body weight (BW)")
        return SuvScale(1.0, "Units are GML")
    if units != "BQML":
        raise CaseError(f"PET in units {units or '(none)'}; expected GML or BQML")
    return _from_activity(headers)


def _from_activity(headers: Sequence[Dataset]) -> SuvScale:
    """Factor for Units BQML."""
    first = headers[0]
    corrected = {str(value).strip() for value in _several(element(first, "CorrectedImage"))}
    if not {"ATTN", "DECY"} <= corrected:
        raise CaseError("PET must be corrected for attenuation and decay (ATTN and DECY in Corrected Image)")
    tracer = _tracer(first)
    weight_g = 1000 * _positive(first, "PatientWeight")
    dose_bq = _positive(tracer, "RadionuclideTotalDose")
    correction = text(first, "DecayCorrection")
    if correction == "ADMIN":
        return SuvScale(weight_g / dose_bq, "BQML, decay-corrected to the injection")
    if correction != "START":
        raise CaseError(f"Decay Correction is {correction or '(none)'}; expected START or ADMIN")
    half_life_s = _positive(tracer, "RadionuclideHalfLife")
    start, method = _scan_start(headers, half_life_s)
    decay_s = (start - _injection(tracer, start)).total_seconds()
    if not 0 <= decay_s <= DECAY_LIMIT_HALF_LIVES * half_life_s:
        raise CaseError(
            f"{decay_s:.0f} s between injection and scan; "
            f"expected 0 to {DECAY_LIMIT_HALF_LIVES} half-lives of {half_life_s:.0f} s"
        )
    return SuvScale(weight_g / (dose_bq * 2 ** (-decay_s / half_life_s)), f"BQML, decay-corrected to {method}")


def _several(value: object) -> list[object]:
    """The values of an element that may hold one or several."""
    if value is None:
        return []
    return [value] if isinstance(value, str) or not isinstance(value, Iterable) else list(value)


def _tracer(header: Dataset) -> Dataset:
    """The only item of the Radiopharmaceutical Information Sequence."""
    items = element(header, "RadiopharmaceuticalInformationSequence")
    if not isinstance(items, Sequence) or len(items) != 1:
        raise CaseError("the header must name exactly one radiopharmaceutical")
    item: Dataset = items[0]
    return item


def _positive(header: Dataset, keyword: str) -> float:
    value = number(header, keyword)
    if value is None or value <= 0:
        raise CaseError(f"no {keyword}: SUV cannot be computed" if value is None else f"{keyword} must be positive")
    return value


def _scan_start(headers: Sequence[Dataset], half_life_s: float) -> tuple[datetime, str]:
    """When the scan began, to which START refers: not always the Series Time, which later processing may replace."""
    first = headers[0]
    series = _moment(text(first, "SeriesDate"), text(first, "SeriesTime"))
    acquired = [
        (_moment(text(header, "AcquisitionDate"), text(header, "AcquisitionTime")), header) for header in headers
    ]
    known = [(moment, header) for moment, header in acquired if moment is not None]
    if not known or len(known) < len(acquired):
        raise CaseError("no Acquisition Date and Time: SUV cannot be computed")
    earliest, header = min(known, key=lambda pair: pair[0])
    if series is not None and series <= earliest:
        return series, "the Series Time"
    private = _ge_scan_start(first)
    if private is not None:
        return private, "GE's private scan time"
    return _back_computed(earliest, header, half_life_s), "a scan start computed back from the Frame Reference Time"


def _ge_scan_start(header: Dataset) -> datetime | None:
    """Scan Date and Time (0009,100D) of GE's private block GEMS_PETD_01."""
    try:
        value = guarded(lambda: header.private_block(0x0009, "GEMS_PETD_01")[0x0D].value, "no private scan time")
    except CaseError:
        return None
    return _stamp(value.decode("latin-1") if isinstance(value, bytes) else str(value))


def _back_computed(acquired: datetime, header: Dataset, half_life_s: float) -> datetime:
    """Scan start from one bed position: its average count rate comes Frame Reference Time after the scan start."""
    reference_ms, duration_ms = number(header, "FrameReferenceTime"), number(header, "ActualFrameDuration")
    if reference_ms is None or duration_ms is None or reference_ms <= 0 or duration_ms <= 0:
        raise CaseError(
            "the Series Time is later than the acquisition, and no Frame Reference Time tells when the scan began"
        )
    decay = math.log(2) / half_life_s
    # Time of the average count rate of a decaying source, after the frame's start (PS3.3 C.8.9.4.1.5, example 2).
    during = decay * duration_ms / 1000
    average_s = math.log(during / -math.expm1(-during)) / decay
    return acquired + timedelta(seconds=average_s - reference_ms / 1000)


def _injection(tracer: Dataset, scan_start: datetime) -> datetime:
    """When the tracer was injected; a time of day alone is the last such time before the scan."""
    stamp = text(tracer, "RadiopharmaceuticalStartDateTime")
    if stamp:
        moment = _stamp(stamp)
    else:
        moment = _moment(scan_start.strftime("%Y%m%d"), text(tracer, "RadiopharmaceuticalStartTime"))
        if moment is not None and moment > scan_start:
            moment -= timedelta(days=1)
    if moment is None:
        raise CaseError("no Radiopharmaceutical Start Time: SUV cannot be computed")
    return moment


def _stamp(value: str) -> datetime | None:
    """A DICOM date and time (DT) without its offset from UTC; ``None`` if it is malformed."""
    return _moment(value[:8], value[8:].split("+")[0].split("-")[0])


def _moment(date: str, time: str) -> datetime | None:
    """A DICOM date (DA) and time (TM, from ``HH`` to ``HHMMSS.FFFFFF``); ``None`` if either is missing or malformed."""
    clock, _, fraction = time.strip().partition(".")
    if len(clock) not in (2, 4, 6) or not clock.isdecimal() or (fraction and not fraction.isdecimal()):
        return None
    try:
        return datetime.strptime(date.strip() + clock.ljust(6, "0") + fraction[:6].ljust(6, "0"), "%Y%m%d%H%M%S%f")
    except ValueError:
        return None
