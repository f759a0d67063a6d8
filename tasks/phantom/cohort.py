"""Write a cohort of generated patients to a folder: what ``make demo`` screens, and what tests run on.

Patients differ in size, slice thickness, pixel spacing, pixel encoding and order of instances, and have 0 to 3 nodules.
Files lie in nested folders under meaningless names, as in an export. Patient ``k`` depends on the seed and ``k`` only.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np

from storage.volume import Triple
from tasks.phantom.dicom import Stored, Study, write_ct_series
from tasks.phantom.nodules import Nodule
from tasks.phantom.rtstruct import write_rtstruct
from tasks.phantom.thorax import thorax

CohortSize = Literal["demo", "small"]

FAMILY_NAMES = ("PHANTOM", "SPECIMEN", "TESTBODY", "NOBODY", "WAXWORK", "MANNEQUIN")
GIVEN_NAMES = ("KAREN", "WILHELM", "AGNES", "OTTO", "MIRIAM", "PABLO", "SIGRID", "TARIQ", "YUKI", "ZORA", "EMIL", "ADA")
NODULE_COUNTS = (1, 0, 2, 3, 1, 0, 2, 1, 3, 0, 1, 2)
"""Of patients 0, 1, 2, …, again from the start after twelve: every fourth has none, and one of the first three."""


@dataclass(frozen=True)
class PhantomPatient:
    """What was written for one patient, and its truth.

    Attributes
    ----------
    patient_id, patient_name, accession
        Fictional identifiers that must not get past ingest.
    study_uid, series_uid, rtstruct_uid
        As written.
    shape, spacing_mm
        Of the CT, ``(z, y, x)``, in mm.
    nodules
        With their exact ellipsoids in LPS mm; empty: contoured, no lesion.
    folder
        The patient's own folder, which holds all its files.
    slice_files
        The CT's files, in the order of the slices from feet to head.
    rtstruct_file
        The RT Structure Set.
    """

    patient_id: str
    patient_name: str
    accession: str
    study_uid: str
    series_uid: str
    rtstruct_uid: str
    shape: tuple[int, int, int]
    spacing_mm: Triple
    nodules: tuple[Nodule, ...]
    folder: Path
    slice_files: tuple[Path, ...]
    rtstruct_file: Path

    @property
    def volumes_ml(self) -> tuple[float, ...]:
        """Exact volume of each nodule, in ml."""
        return tuple(nodule.ellipsoid.volume_ml for nodule in self.nodules)

    @property
    def identifiers(self) -> tuple[str, ...]:
        """Every text that names the patient or the study: none may appear in what the pipeline writes."""
        family, given = self.patient_name.split("^")
        uids = (self.study_uid, self.series_uid, self.rtstruct_uid)
        return (self.patient_id, self.patient_name, f"{given} {family}", self.accession, *uids)


def write_cohort(
    folder: Path,
    *,
    patients: int = 12,
    seed: int = 0,
    size: CohortSize = "demo",
    progress: Callable[[int, int], None] | None = None,
) -> list[PhantomPatient]:
    """Write ``patients`` CT series with an RT Structure Set each below ``folder``.

    Parameters
    ----------
    folder
        Made where it does not exist; other files in it are left alone.
    patients
        How many.
    seed
        Same seed, same bytes.
    size
        ``"demo"``: adults, 176–224 pixels and 52–110 slices of 2.5–5 mm. ``"small"``: children of 96 × 96 pixels and
        32 slices, for tests.
    progress
        Called with the number of patients written and of all, after each.

    Raises
    ------
    ValueError
        When ``patients`` is negative or ``size`` unknown.
    """
    if patients < 0:
        raise ValueError(f"patients must be 0 or more; got {patients}")
    if size not in ("demo", "small"):
        raise ValueError(f"size must be 'demo' or 'small'; got {size!r}")
    written = []
    for number in range(patients):
        written.append(write_patient(folder, number, seed=seed, size=size))
        if progress is not None:
            progress(number + 1, patients)
    return written


def write_patient(folder: Path, number: int, *, seed: int = 0, size: CohortSize = "demo") -> PhantomPatient:
    """Write patient ``number`` (from 0) of a cohort; see :func:`write_cohort`."""
    rng = np.random.default_rng([seed, number])
    study = _study(rng, seed, number)
    shape, spacing_mm = _grid(rng, size)
    x, y, z = rng.uniform((-12.0, -160.0, -420.0), (12.0, -120.0, 60.0))
    phantom = thorax(
        rng,
        shape=shape,
        spacing_mm=spacing_mm,
        nodules=NODULE_COUNTS[number % len(NODULE_COUNTS)],
        diameter_mm=(6.0, 30.0) if size == "demo" else (8.0, 22.0),
        noise_hu=float(rng.uniform(17.0, 30.0)),
        couch=bool(rng.random() < 0.8),
        center_mm=(round(float(x), 1), round(float(y), 1), round(float(z), 1)),
    )
    stored: Stored = "signed16" if rng.random() < 0.5 else "unsigned12"
    home = folder / _hash(study.seed_text, "folder")[:8].upper()
    files = [home / _file_name(study.seed_text, k) for k in range(shape[0])]
    series = write_ct_series(phantom.volume, study, files, instance_numbers=_instances(rng, shape[0]), stored=stored)
    rtstruct_file = home / _file_name(study.seed_text, -1)
    ellipsoids = [nodule.ellipsoid for nodule in phantom.nodules]
    rtstruct_uid = write_rtstruct(phantom.volume, series, ellipsoids, rtstruct_file)
    return PhantomPatient(
        study.patient_id, study.patient_name, study.accession, study.uid("study"), series.series_uid, rtstruct_uid,
        shape, spacing_mm, phantom.nodules, home, tuple(files), rtstruct_file,
    )  # fmt: skip


def _study(rng: np.random.Generator, seed: int, number: int) -> Study:
    """A fictional patient; identifiers differ between the patients of a cohort."""
    family = FAMILY_NAMES[(number // len(GIVEN_NAMES)) % len(FAMILY_NAMES)]
    return Study(
        seed_text=f"{seed}/{number}",
        patient_name=f"{family}^{GIVEN_NAMES[number % len(GIVEN_NAMES)]}",
        patient_id=f"MRN-{17 + 1009 * number:05d}",
        birth_date=f"{rng.integers(1935, 1990)}{rng.integers(1, 13):02d}{rng.integers(1, 29):02d}",
        sex=str(rng.choice(["F", "M"])),
        accession=f"ACC-{70001 + 13 * number:05d}",
        date=f"202{rng.integers(0, 6)}{rng.integers(1, 13):02d}{rng.integers(1, 29):02d}",
        time=f"{rng.integers(0, 24):02d}{rng.integers(0, 60):02d}{rng.integers(0, 60):02d}",
    )


def _grid(rng: np.random.Generator, size: CohortSize) -> tuple[tuple[int, int, int], Triple]:
    """Shape and spacing of one patient's series."""
    if size == "small":
        pixel, gap = rng.uniform(2.3, 2.8), rng.choice([4.5, 5.0, 5.5])
        return (32, 96, 96), (float(gap), round(float(pixel), 4), round(float(pixel), 4))
    pixels = int(rng.choice([176, 192, 208, 224]))
    pixel = round(float(rng.uniform(320.0, 376.0)) / pixels, 4)
    gap = float(rng.choice([2.5, 3.0, 3.75, 4.0, 5.0]))
    slices = min(110, round(float(rng.uniform(262.0, 300.0)) / gap))
    return (slices, pixels, pixels), (gap, pixel, pixel)


def _instances(rng: np.random.Generator, slices: int) -> list[int]:
    """Instance numbers: feet first, head first, or, after a careless export, in no order at all."""
    counted = np.arange(1, slices + 1)
    return [list(map(int, order)) for order in (counted, counted[::-1], rng.permutation(counted))][int(rng.integers(3))]


def _hash(*parts: str) -> str:
    """Hex digest, to make names from."""
    return hashlib.sha256("/".join(("phantom", *parts)).encode()).hexdigest()


def _file_name(seed_text: str, k: int) -> Path:
    """A meaningless relative name below one or two folders; some files have an ending, some none."""
    digest = _hash(seed_text, str(k))
    folders = Path(f"S{digest[0]}") if int(digest[1], 16) % 2 else Path(f"S{digest[0]}") / f"{digest[2:4]}"
    return folders / (f"{digest[4:14]}.dcm" if int(digest[14], 16) % 3 else f"I{digest[4:11]}".upper())
