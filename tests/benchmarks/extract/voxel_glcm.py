"""Maps of the co-occurrence features of each voxel's 26 neighbours beside pyradiomics' voxel-based extraction."""

from __future__ import annotations

from collections.abc import Callable

from tests.benchmarks import radiomics
from tests.benchmarks.extract.subject import Subject
from tests.benchmarks.row import Array, Row

BATCH = 500
"""Voxels that pyradiomics takes at a time: it is fastest so, its matrices do not fit into the cache otherwise."""


def ours(subject: Subject) -> Callable[[], dict[str, Array]]:
    from tasks.extract.discretize import Discretization, discretize
    from tasks.extract.map_settings import CO_OCCURRENCE
    from tasks.extract.maps import voxel_maps

    image, mask = subject.region("small")
    compared = {f"glcm.{name}" for name in radiomics.GLCM.values()}

    def describe() -> dict[str, Array]:
        levels = discretize(image, mask, Discretization(bins=radiomics.BINS))
        maps = dict(voxel_maps(image, levels, mask, CO_OCCURRENCE))
        return {name: maps[name][mask] for name in compared}

    return describe


def theirs(subject: Subject) -> Callable[[], dict[str, Array]]:
    import SimpleITK as sitk
    from radiomics import setVerbosity
    from radiomics.featureextractor import RadiomicsFeatureExtractor

    setVerbosity(40)
    image, mask = subject.region("small")
    extractor = RadiomicsFeatureExtractor(binCount=radiomics.BINS, kernelRadius=1, maskedKernel=True, voxelBatch=BATCH)
    extractor.disableAllFeatures()
    extractor.enableFeaturesByName(glcm=list(radiomics.GLCM))
    pictures = radiomics.itk(image), radiomics.itk(mask.astype("uint8"))

    def describe() -> dict[str, Array]:
        maps = extractor.execute(*pictures, voxelBased=True)
        return {
            f"glcm.{name}": sitk.GetArrayFromImage(maps[f"original_glcm_{theirs}"])[mask]
            for theirs, name in radiomics.GLCM.items()
        }

    return describe


ROW = Row(
    work="voxel_glcm",
    peer="pyradiomics",
    ours=ours,
    theirs=theirs,
    tolerance=1e-5,
    says="a generated ball of 2,006 voxels, 32 levels, neighbourhoods of 3×3×3 voxels of the mask; pyradiomics without "
    f"its maximal correlation coefficient, which alone doubles its time; {len(radiomics.GLCM)} maps compared: "
    f"{', '.join(radiomics.GLCM)}",
    wanted=100.0,
    scale="of range",
)
