"""All 3-D features of Nyxus on a tumour of 44 thousand voxels, whose levels it is given instead of the intensities."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from tempfile import mkdtemp

import numpy as np

from tests.benchmarks import radiomics
from tests.benchmarks.extract.subject import TUMOUR, Subject
from tests.benchmarks.row import Array, Row

HISTOGRAM = {
    "MEAN": "mean",
    "MEDIAN": "median",
    "SKEWNESS": "skewness",
    "EXCESS_KURTOSIS": "kurtosis",
    "VARIANCE_BIASED": "variance",
    "MEAN_ABSOLUTE_DEVIATION": "mean_absolute_deviation",
    "MEDIAN_ABSOLUTE_DEVIATION": "median_absolute_deviation",
    "ENTROPY": "entropy",
    "UNIFORMITY": "uniformity",
}
GLCM = {
    "ACOR": "autocorrelation",
    "ASM": "angular_second_moment",
    "CLUPROM": "cluster_prominence",
    "CLUSHADE": "cluster_shade",
    "CLUTEND": "cluster_tendency",
    "CONTRAST": "contrast",
    "CORRELATION": "correlation",
    "DIFAVE": "difference_average",
    "DIFVAR": "difference_variance",
    "ID": "inverse_difference",
    "IDM": "inverse_difference_moment",
    "IDMN": "normalised_inverse_difference_moment",
    "IDN": "normalised_inverse_difference",
    "IV": "inverse_variance",
    "JAVE": "joint_average",
    "JMAX": "joint_maximum",
    "JVAR": "joint_variance",
    "SUMAVERAGE": "sum_average",
    "SUMVARIANCE": "sum_variance",
}
GLRLM = {
    "SRE": "short_runs_emphasis",
    "LRE": "long_runs_emphasis",
    "GLN": "grey_level_non_uniformity",
    "GLNN": "normalised_grey_level_non_uniformity",
    "RLN": "run_length_non_uniformity",
    "RLNN": "normalised_run_length_non_uniformity",
    "RP": "run_percentage",
    "GLV": "grey_level_variance",
    "RV": "run_length_variance",
    "LGLRE": "low_grey_level_run_emphasis",
    "HGLRE": "high_grey_level_run_emphasis",
    "SRLGLE": "short_run_low_grey_level_emphasis",
    "SRHGLE": "short_run_high_grey_level_emphasis",
    "LRLGLE": "long_run_low_grey_level_emphasis",
    "LRHGLE": "long_run_high_grey_level_emphasis",
}
GLSZM = {
    "SAE": "small_zone_emphasis",
    "LAE": "large_zone_emphasis",
    "GLN": "grey_level_non_uniformity",
    "GLNN": "normalised_grey_level_non_uniformity",
    "SZN": "zone_size_non_uniformity",
    "SZNN": "normalised_zone_size_non_uniformity",
    "ZP": "zone_percentage",
    "GLV": "grey_level_variance",
    "ZV": "zone_size_variance",
    "LGLZE": "low_grey_level_zone_emphasis",
    "HGLZE": "high_grey_level_zone_emphasis",
    "SALGLE": "small_zone_low_grey_level_emphasis",
    "SAHGLE": "small_zone_high_grey_level_emphasis",
    "LALGLE": "large_zone_low_grey_level_emphasis",
    "LAHGLE": "large_zone_high_grey_level_emphasis",
}
GLDM = {
    "SDE": "low_dependence_emphasis",
    "LDE": "high_dependence_emphasis",
    "GLN": "grey_level_non_uniformity",
    "DN": "dependence_count_non_uniformity",
    "DNN": "normalised_dependence_count_non_uniformity",
    "GLV": "grey_level_variance",
    "DV": "dependence_count_variance",
    "LGLE": "low_grey_level_count_emphasis",
    "HGLE": "high_grey_level_count_emphasis",
    "SDLGLE": "low_dependence_low_grey_level_emphasis",
    "SDHGLE": "low_dependence_high_grey_level_emphasis",
    "LDLGLE": "high_dependence_low_grey_level_emphasis",
    "LDHGLE": "high_dependence_high_grey_level_emphasis",
}
CLASSES = (
    ("3{}", HISTOGRAM, "intensity_histogram.{}"),
    ("3GLCM_{}_AVE", GLCM, "glcm.{}_3D_avg"),
    ("3GLRLM_{}_AVE", GLRLM, "glrlm.{}_3D_avg"),
    ("3GLSZM_{}", GLSZM, "glszm.{}_3D"),
    ("3GLDM_{}", GLDM, "ngldm.{}_3D"),
)
EQUIVALENT = {
    theirs.format(name): ours.format(alike) for theirs, names, ours in CLASSES for name, alike in names.items()
}


def ours(subject: Subject) -> Callable[[], dict[str, float]]:
    image, mask = subject.region("tumour")
    families = radiomics.our_families("gldzm")
    return lambda: radiomics.describe(image, mask, families, EQUIVALENT.values())


def theirs(subject: Subject) -> Callable[[], dict[str, float]]:
    """From files on, as it reads no arrays of three dimensions."""
    from nyxus import Nyxus3D

    image, mask = subject.region("tumour")
    levels, inside = (_saved(array, name) for array, name in ((_levels(image, mask), "levels"), (mask, "mask")))
    threads = int(os.environ["OMP_NUM_THREADS"])
    nyxus = Nyxus3D(["*3D_ALL*"], ibsi=True, coarse_gray_depth=radiomics.BINS, n_feature_calc_threads=threads)

    def describe() -> dict[str, float]:
        row = nyxus.featurize_files([levels], [inside], single_roi=False).iloc[0]
        return {name: float(row[theirs]) for theirs, name in EQUIVALENT.items()}

    return describe


def _levels(image: Array, mask: Array) -> Array:
    low, high = image[mask].min(), image[mask].max()
    levels = np.floor(radiomics.BINS * (image.astype(np.float64) - low) / (high - low)) + 1
    return np.where(mask, np.minimum(levels, radiomics.BINS), 0)


def _saved(array: Array, name: str) -> str:
    import SimpleITK as sitk

    path = Path(mkdtemp()) / f"{name}.nii"
    sitk.WriteImage(radiomics.itk(array.astype(np.uint8)), path)
    return str(path)


ROW = Row(
    work="tumour_44k",
    peer="nyxus",
    ours=ours,
    theirs=theirs,
    tolerance=1e-6,
    says=f"{TUMOUR}, configuration D; ours from intensities on, Nyxus from levels 1 to 32 in NIfTI files on, with all "
    "its 3-D classes (ours: the same, with GLDZM and NGLDM once); its mesh, percentiles, entropies, GLDZM, NGLDM and "
    f"NGTDM miss the standard; {len(EQUIVALENT)} features compared: {', '.join(EQUIVALENT)}",
    wanted=1.0,
    scale="relative",
)
