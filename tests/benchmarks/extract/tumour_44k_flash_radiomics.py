"""All classes of flash-radiomics, which are those of pyradiomics, on a tumour of 44 thousand voxels."""

from __future__ import annotations

from collections.abc import Callable

from tests.benchmarks import radiomics
from tests.benchmarks.extract.subject import TUMOUR, Subject
from tests.benchmarks.row import Row


def ours(subject: Subject) -> Callable[[], dict[str, float]]:
    return radiomics.ours(*subject.region("tumour"))


def theirs(subject: Subject) -> Callable[[], dict[str, float]]:
    """Without the file that it writes of each region, and without the memory that spares it to prepare one twice."""
    import os

    from flash_radiomics.featureextractor import RadiomicsFeatureExtractor

    image, mask = subject.region("tumour")
    pictures = radiomics.itk(image), radiomics.itk(mask.astype("uint8"))
    extractor = RadiomicsFeatureExtractor(
        binCount=radiomics.BINS, backend="cpu", num_threads=int(os.environ["OMP_NUM_THREADS"])
    )

    def describe() -> dict[str, float]:
        prepared = extractor.preprocess_case(*pictures, label=1)
        return radiomics.by_our_names(extractor.extract_from_preprocessed(prepared))

    return describe


ROW = Row(
    work="tumour_44k",
    peer="flash_radiomics",
    ours=ours,
    theirs=theirs,
    tolerance=1e-6,
    says=f"{TUMOUR}, configuration D, 32 levels, all its default classes, which are those of pyradiomics, without the "
    f"file that it writes; {radiomics.ALIKE}",
    wanted=3.0,
    scale="relative",
)
