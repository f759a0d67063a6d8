"""What the rows beside other radiomics libraries share: our side, and which of pyradiomics' features are which of ours.

Left out where the two define things differently: pyradiomics' kurtosis is not less 3, its mesh cuts ambiguous cells
otherwise, its axis lengths have n below the sum and not n - 1, and it has a maximal correlation coefficient, which the
standard has not. Its co-occurrence and its
runs are described by direction, and the features averaged: ``3D_avg`` in the standard's tables.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING, Any

from tests.benchmarks.row import Array

if TYPE_CHECKING:
    from tasks.extract.describe import Chosen

SPACING_MM = (2.0, 2.0, 2.0)
BINS = 32
BY_DIRECTION = {"aggregations": ["3D_avg"]}
FAMILIES = (
    "first_order",
    "intensity_histogram",
    "shape",
    "glcm",
    "glrlm",
    "glszm",
    "ngldm",
    "ngtdm",
)
"""The classes of pyradiomics; its entropy and uniformity of first order are those of the standard's histogram."""

FIRST_ORDER = {
    "10Percentile": "percentile_10",
    "90Percentile": "percentile_90",
    "Energy": "energy",
    "InterquartileRange": "interquartile_range",
    "Maximum": "maximum",
    "Mean": "mean",
    "MeanAbsoluteDeviation": "mean_absolute_deviation",
    "Median": "median",
    "Minimum": "minimum",
    "Range": "range",
    "RobustMeanAbsoluteDeviation": "robust_mean_absolute_deviation",
    "RootMeanSquared": "root_mean_square",
    "Skewness": "skewness",
    "Variance": "variance",
}
HISTOGRAM = {"Entropy": "entropy", "Uniformity": "uniformity"}
SHAPE = {
    "Elongation": "elongation",
    "Flatness": "flatness",
    "Maximum3DDiameter": "maximum_diameter",
    "VoxelVolume": "volume_voxels",
}
GLCM = {
    "Autocorrelation": "autocorrelation",
    "ClusterProminence": "cluster_prominence",
    "ClusterShade": "cluster_shade",
    "ClusterTendency": "cluster_tendency",
    "Contrast": "contrast",
    "Correlation": "correlation",
    "DifferenceAverage": "difference_average",
    "DifferenceEntropy": "difference_entropy",
    "DifferenceVariance": "difference_variance",
    "Id": "inverse_difference",
    "Idm": "inverse_difference_moment",
    "Idmn": "normalised_inverse_difference_moment",
    "Idn": "normalised_inverse_difference",
    "Imc1": "information_correlation_1",
    "Imc2": "information_correlation_2",
    "InverseVariance": "inverse_variance",
    "JointAverage": "joint_average",
    "JointEnergy": "angular_second_moment",
    "JointEntropy": "joint_entropy",
    "MaximumProbability": "joint_maximum",
    "SumAverage": "sum_average",
    "SumEntropy": "sum_entropy",
    "SumSquares": "joint_variance",
}
GLRLM = {
    "GrayLevelNonUniformity": "grey_level_non_uniformity",
    "GrayLevelNonUniformityNormalized": "normalised_grey_level_non_uniformity",
    "GrayLevelVariance": "grey_level_variance",
    "HighGrayLevelRunEmphasis": "high_grey_level_run_emphasis",
    "LongRunEmphasis": "long_runs_emphasis",
    "LongRunHighGrayLevelEmphasis": "long_run_high_grey_level_emphasis",
    "LongRunLowGrayLevelEmphasis": "long_run_low_grey_level_emphasis",
    "LowGrayLevelRunEmphasis": "low_grey_level_run_emphasis",
    "RunEntropy": "run_entropy",
    "RunLengthNonUniformity": "run_length_non_uniformity",
    "RunLengthNonUniformityNormalized": "normalised_run_length_non_uniformity",
    "RunPercentage": "run_percentage",
    "RunVariance": "run_length_variance",
    "ShortRunEmphasis": "short_runs_emphasis",
    "ShortRunHighGrayLevelEmphasis": "short_run_high_grey_level_emphasis",
    "ShortRunLowGrayLevelEmphasis": "short_run_low_grey_level_emphasis",
}
GLSZM = {
    "GrayLevelNonUniformity": "grey_level_non_uniformity",
    "GrayLevelNonUniformityNormalized": "normalised_grey_level_non_uniformity",
    "GrayLevelVariance": "grey_level_variance",
    "HighGrayLevelZoneEmphasis": "high_grey_level_zone_emphasis",
    "LargeAreaEmphasis": "large_zone_emphasis",
    "LargeAreaHighGrayLevelEmphasis": "large_zone_high_grey_level_emphasis",
    "LargeAreaLowGrayLevelEmphasis": "large_zone_low_grey_level_emphasis",
    "LowGrayLevelZoneEmphasis": "low_grey_level_zone_emphasis",
    "SizeZoneNonUniformity": "zone_size_non_uniformity",
    "SizeZoneNonUniformityNormalized": "normalised_zone_size_non_uniformity",
    "SmallAreaEmphasis": "small_zone_emphasis",
    "SmallAreaHighGrayLevelEmphasis": "small_zone_high_grey_level_emphasis",
    "SmallAreaLowGrayLevelEmphasis": "small_zone_low_grey_level_emphasis",
    "ZoneEntropy": "zone_size_entropy",
    "ZonePercentage": "zone_percentage",
    "ZoneVariance": "zone_size_variance",
}
GLDM = {
    "DependenceEntropy": "dependence_count_entropy",
    "DependenceNonUniformity": "dependence_count_non_uniformity",
    "DependenceNonUniformityNormalized": "normalised_dependence_count_non_uniformity",
    "DependenceVariance": "dependence_count_variance",
    "GrayLevelNonUniformity": "grey_level_non_uniformity",
    "GrayLevelVariance": "grey_level_variance",
    "HighGrayLevelEmphasis": "high_grey_level_count_emphasis",
    "LargeDependenceEmphasis": "high_dependence_emphasis",
    "LargeDependenceHighGrayLevelEmphasis": "high_dependence_high_grey_level_emphasis",
    "LargeDependenceLowGrayLevelEmphasis": "high_dependence_low_grey_level_emphasis",
    "LowGrayLevelEmphasis": "low_grey_level_count_emphasis",
    "SmallDependenceEmphasis": "low_dependence_emphasis",
    "SmallDependenceHighGrayLevelEmphasis": "low_dependence_high_grey_level_emphasis",
    "SmallDependenceLowGrayLevelEmphasis": "low_dependence_low_grey_level_emphasis",
}
NGTDM = {name: name.lower() for name in ("Busyness", "Coarseness", "Complexity", "Contrast", "Strength")}
CLASSES = (
    ("firstorder", FIRST_ORDER, "first_order.{}"),
    ("firstorder", HISTOGRAM, "intensity_histogram.{}"),
    ("shape", SHAPE, "shape.{}"),
    ("glcm", GLCM, "glcm.{}_3D_avg"),
    ("glrlm", GLRLM, "glrlm.{}_3D_avg"),
    ("glszm", GLSZM, "glszm.{}_3D"),
    ("gldm", GLDM, "ngldm.{}_3D"),
    ("ngtdm", NGTDM, "ngtdm.{}_3D"),
)
EQUIVALENT = {
    f"original_{kind}_{theirs}": pattern.format(ours)
    for kind, names, pattern in CLASSES
    for theirs, ours in names.items()
}
"""Our name of each feature of pyradiomics that is defined alike; flash-radiomics has the same names."""
ALIKE = f"{len(EQUIVALENT)} features compared, all that are defined alike: " + "; ".join(
    f"{kind} {', '.join(names)}" for kind, names, _ in CLASSES
)


def our_families(*more: str) -> Chosen:
    """The families of ``FAMILIES`` and more, each with its settings."""
    from tasks.extract.describe import chosen
    from tasks.extract.settings import Settings

    settings = {"families": (*FAMILIES, *more), "glcm": BY_DIRECTION, "glrlm": BY_DIRECTION}
    return chosen(Settings.model_validate(settings))


def describe(image: Array, mask: Array, families: Chosen, compared: Iterable[str]) -> dict[str, float]:
    """The features of a region, from image and mask on; all are computed, and those that are compared returned."""
    from tasks.extract.describe import features_of
    from tasks.extract.region import Region

    values = features_of(Region(image, mask, SPACING_MM, "HU"), families)
    return {name: values[name] for name in compared}


def ours(image: Array, mask: Array) -> Callable[[], dict[str, float]]:
    """The features that pyradiomics has too."""
    families = our_families()
    return lambda: describe(image, mask, families, EQUIVALENT.values())


def by_our_names(found: Mapping[str, Any]) -> dict[str, float]:
    """What pyradiomics found, those that are compared."""
    return {ours: float(found[theirs]) for theirs, ours in EQUIVALENT.items()}


def pyradiomics(image: Array, mask: Array) -> Callable[[], dict[str, float]]:
    """The features of all classes, from images of SimpleITK on."""
    from radiomics import setVerbosity
    from radiomics.featureextractor import RadiomicsFeatureExtractor

    setVerbosity(40)
    extractor = RadiomicsFeatureExtractor(binCount=BINS)
    pictures = itk(image), itk(mask.astype("uint8"))
    return lambda: by_our_names(extractor.execute(*pictures))


def itk(array: Array) -> Any:
    """An image of SimpleITK."""
    import SimpleITK as sitk

    image = sitk.GetImageFromArray(array)
    image.SetSpacing(SPACING_MM)
    return image
