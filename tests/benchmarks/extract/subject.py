"""What the rows of extract work on: a tumour as DICOM and as array, a larger region, a small one, and many patches.

The tumour is that of the CT phantom of the IBSI where the public research data are at hand, and generated where not;
everything else is generated. As arrays it is prepared by configuration D of the standard: interpolated to 2 mm, without
intensities further than three standard deviations from the mean.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from tests.benchmarks.row import Array
from tests.benchmarks.textured import smooth_noise, textured_region, write_tumour

CHECKOUT = Path(__file__).parents[3]
DATA = Path(os.environ.get("LESIONFLOW_TEST_DATA", CHECKOUT.parent / "shared" / "data"))
PHANTOM = DATA / "ibsi" / "ibsi_1_ct_radiomics_phantom" / "dicom"
TUMOUR = "the IBSI's CT phantom" if PHANTOM.is_dir() else "a generated tumour"
CONFIGURATION_D = {
    "interpolation": {"spacing_mm": 2.0, "round_intensities": True},
    "resegmentation": {"outliers_sd": 3.0},
    "discretization": {"method": "fixed_bin_number", "bins": 32},
}
PATCHES = 20


@dataclass(frozen=True)
class Subject:
    """Where they lie."""

    folder: Path

    def region(self, name: str) -> tuple[Array, Array]:
        """Image (float32, whole HU) and mask of ``"tumour"``, ``"large"`` or ``"small"``."""
        with np.load(self.folder / f"{name}.npz") as arrays:
            return arrays["image"], arrays["mask"]

    def patches(self) -> Array:
        """``(PATCHES, 32, 32, 32)``, float32."""
        return np.load(self.folder / "patches.npy")

    def dicom(self) -> tuple[Path, Path]:
        """The folder of the tumour's CT series, and the file of its contours."""
        home = PHANTOM if PHANTOM.is_dir() else self.folder / "dicom"
        return home / "image", next((home / "mask").glob("*.dcm"))


def load(folder: Path) -> Subject:
    """What :func:`make` left."""
    return Subject(folder)


def make(folder: Path) -> None:
    """Leave the files."""
    if not PHANTOM.is_dir():
        write_tumour(folder / "dicom")
    image, mask = _prepared(*load(folder).dicom())
    np.savez(folder / "tumour.npz", image=image, mask=mask)
    for name, shape, voxels in (("large", (100, 132, 132), 905_000), ("small", (18, 18, 18), 2_000)):
        image, mask = textured_region(shape, voxels)
        np.savez(folder / f"{name}.npz", image=image, mask=mask)
    noise = [np.rint(40 * smooth_noise((32, 32, 32), 1.5, seed)) for seed in range(PATCHES)]
    np.save(folder / "patches.npy", np.stack(noise))


def _prepared(series: Path, contours: Path) -> tuple[Array, Array]:
    from flows.reading import read_image, read_mask
    from tasks.extract.describe import Describer
    from tasks.extract.settings import Settings
    from tasks.imaging.morphology import mask_box

    image = read_image(series)
    mask = read_mask(contours, image).array > 0
    describer = Describer(image, Settings.model_validate({"families": ["first_order"], **CONFIGURATION_D}))
    box = mask_box(mask)
    region, _ = describer.region(box, mask[box])
    return region.image.astype(np.float32), region.counted
