"""Against the baseline values that pyradiomics publishes (doi:10.1158/0008-5472.CAN-17-0339), where definitions agree.

They are matched by the standard's tags. Where pyradiomics goes its own way, the translation stands here:

- its bins of one size begin at a multiple of the bin's width, and not at the end of a re-segmentation range;
- its kurtosis is not the excess: 3 for a normal distribution;
- its ``Energy`` and ``RootMeanSquared`` are of intensities shifted by 2000 in these settings;
- its GLDM is the standard's NGLDM;
- its mesh is that of Lorensen and Cline (doi:10.1145/37402.37422), ours that of Lewiner et al.
  (doi:10.1080/10867651.2003.10487582), which joins voxels that touch at an edge in another way: ``brain1`` has some;
- its elongation and flatness are square roots of ratios of variances with n below the sum: the ratios are the same,
  but the axis lengths differ by the factor sqrt((n - 1) / n).
"""

from __future__ import annotations

import csv
import math
from pathlib import Path

import numpy as np
import pytest
import SimpleITK as sitk

from tasks.extract.describe import Describer
from tasks.extract.settings import Settings
from tasks.imaging.morphology import mask_box
from tasks.imaging.resample import from_itk

WIDTH, SHIFT = 25.0, 2000.0

FIRST_ORDER = {
    "Mean": "stat_mean",
    "Variance": "stat_var",
    "Skewness": "stat_skew",
    "Median": "stat_median",
    "Minimum": "stat_min",
    "Maximum": "stat_max",
    "10Percentile": "stat_p10",
    "90Percentile": "stat_p90",
    "InterquartileRange": "stat_iqr",
    "Range": "stat_range",
    "MeanAbsoluteDeviation": "stat_mad",
    "RobustMeanAbsoluteDeviation": "stat_rmad",
    "Entropy": "ih_entropy",
    "Uniformity": "ih_uniformity",
}
MESH = {
    "MeshVolume": "morph_volume",
    "SurfaceArea": "morph_area_mesh",
    "SurfaceVolumeRatio": "morph_av",
    "Sphericity": "morph_sphericity",
}
SHAPE = {
    "VoxelVolume": "morph_vol_approx",
    "Maximum3DDiameter": "morph_diam",
    "Elongation": "morph_pca_elongation",
    "Flatness": "morph_pca_flatness",
}
GLCM = {
    "Autocorrelation": "auto_corr",
    "JointAverage": "joint_avg",
    "ClusterProminence": "clust_prom",
    "ClusterShade": "clust_shade",
    "ClusterTendency": "clust_tend",
    "Contrast": "contrast",
    "Correlation": "corr",
    "DifferenceAverage": "diff_avg",
    "DifferenceEntropy": "diff_entr",
    "DifferenceVariance": "diff_var",
    "Id": "inv_diff",
    "Idm": "inv_diff_mom",
    "Idmn": "inv_diff_mom_norm",
    "Idn": "inv_diff_norm",
    "Imc1": "info_corr1",
    "Imc2": "info_corr2",
    "InverseVariance": "inv_var",
    "JointEnergy": "energy",
    "JointEntropy": "joint_entr",
    "MaximumProbability": "joint_max",
    "SumAverage": "sum_avg",
    "SumEntropy": "sum_entr",
    "SumSquares": "joint_var",
}
GLRLM = {
    "ShortRunEmphasis": "sre",
    "LongRunEmphasis": "lre",
    "LowGrayLevelRunEmphasis": "lgre",
    "HighGrayLevelRunEmphasis": "hgre",
    "ShortRunLowGrayLevelEmphasis": "srlge",
    "ShortRunHighGrayLevelEmphasis": "srhge",
    "LongRunLowGrayLevelEmphasis": "lrlge",
    "LongRunHighGrayLevelEmphasis": "lrhge",
    "GrayLevelNonUniformity": "glnu",
    "GrayLevelNonUniformityNormalized": "glnu_norm",
    "RunLengthNonUniformity": "rlnu",
    "RunLengthNonUniformityNormalized": "rlnu_norm",
    "RunPercentage": "r_perc",
    "GrayLevelVariance": "gl_var",
    "RunVariance": "rl_var",
    "RunEntropy": "rl_entr",
}
GLSZM = {
    "SmallAreaEmphasis": "sze",
    "LargeAreaEmphasis": "lze",
    "LowGrayLevelZoneEmphasis": "lgze",
    "HighGrayLevelZoneEmphasis": "hgze",
    "SmallAreaLowGrayLevelEmphasis": "szlge",
    "SmallAreaHighGrayLevelEmphasis": "szhge",
    "LargeAreaLowGrayLevelEmphasis": "lzlge",
    "LargeAreaHighGrayLevelEmphasis": "lzhge",
    "GrayLevelNonUniformity": "glnu",
    "GrayLevelNonUniformityNormalized": "glnu_norm",
    "SizeZoneNonUniformity": "zsnu",
    "SizeZoneNonUniformityNormalized": "zsnu_norm",
    "ZonePercentage": "z_perc",
    "GrayLevelVariance": "gl_var",
    "ZoneVariance": "zs_var",
    "ZoneEntropy": "zs_entr",
}
GLDM = {
    "SmallDependenceEmphasis": "lde",
    "LargeDependenceEmphasis": "hde",
    "LowGrayLevelEmphasis": "lgce",
    "HighGrayLevelEmphasis": "hgce",
    "SmallDependenceLowGrayLevelEmphasis": "ldlge",
    "SmallDependenceHighGrayLevelEmphasis": "ldhge",
    "LargeDependenceLowGrayLevelEmphasis": "hdlge",
    "LargeDependenceHighGrayLevelEmphasis": "hdhge",
    "GrayLevelNonUniformity": "glnu",
    "DependenceNonUniformity": "dcnu",
    "DependenceNonUniformityNormalized": "dcnu_norm",
    "GrayLevelVariance": "gl_var",
    "DependenceVariance": "dc_var",
    "DependenceEntropy": "dc_entr",
}
NGTDM = {name: name.lower() for name in ("Coarseness", "Contrast", "Busyness", "Complexity", "Strength")}
TAGS = {
    "firstorder": FIRST_ORDER,
    "shape": SHAPE,
    "glcm": {name: f"cm_{tag}_3D_avg" for name, tag in GLCM.items()},
    "glrlm": {name: f"rlm_{tag}_3D_avg" for name, tag in GLRLM.items()},
    "glszm": {name: f"szm_{tag}_3D" for name, tag in GLSZM.items()},
    "gldm": {name: f"ngl_{tag}_3D" for name, tag in GLDM.items()},
    "ngtdm": {name: f"ngt_{tag}_3D" for name, tag in NGTDM.items()},
}
FAMILIES = ("first_order", "intensity_histogram", "shape", "glcm", "glrlm", "glszm", "ngldm", "ngtdm")


def ours(folder: Path, case: str) -> dict[str, float]:
    image = from_itk(sitk.ReadImage(str(folder / f"{case}_image.nrrd")))
    mask = sitk.GetArrayFromImage(sitk.ReadImage(str(folder / f"{case}_label.nrrd"))) == 1
    first = WIDTH * math.floor(float(image.array[mask].min()) / WIDTH)
    settings = Settings.model_validate(
        {
            "families": FAMILIES,
            "resegmentation": {"lowest": first},
            "discretization": {"method": "fixed_bin_size", "width": WIDTH},
            "glcm": {"aggregations": ["3D_avg"]},
            "glrlm": {"aggregations": ["3D_avg"]},
        }
    )
    describer = Describer(image, settings)
    box = mask_box(mask)
    values = describer.describe(*describer.region(box, mask[box]))
    return {info.tag: values[name] for name, info in describer.columns.items() if info.tag}


@pytest.fixture(scope="module")
def found(real_data: Path) -> dict[str, dict[str, float]]:
    return {case: ours(real_data / "pyradiomics", case) for case in ("brain1", "breast1")}


def baseline(real_data: Path, family: str, case: str) -> dict[str, float]:
    with (real_data / "pyradiomics" / "baseline" / f"baseline_{family}.csv").open() as lines:
        rows = list(csv.DictReader(lines))
    start = f"original_{family}_"
    return {
        row["featureName"].removeprefix(start): float(row[case]) for row in rows if row["featureName"].startswith(start)
    }


@pytest.mark.parametrize("case", ["brain1", "breast1"])
@pytest.mark.parametrize("family", TAGS)
def test_values_are_those_of_the_peer_where_definitions_agree(
    family: str, case: str, found: dict[str, dict[str, float]], real_data: Path
) -> None:
    theirs = baseline(real_data, family, case)
    assert set(TAGS[family]) <= set(theirs)
    wrong = {
        name: (found[case][tag], theirs[name])
        for name, tag in TAGS[family].items()
        if found[case][tag] != pytest.approx(theirs[name], rel=1e-5)
    }
    assert not wrong


@pytest.mark.parametrize(("case", "tolerance"), [("brain1", 0.006), ("breast1", 1e-5)])
def test_meshes_differ_only_where_voxels_touch_at_an_edge(
    case: str, tolerance: float, found: dict[str, dict[str, float]], real_data: Path
) -> None:
    theirs = baseline(real_data, "shape", case)
    for name, tag in MESH.items():
        assert found[case][tag] == pytest.approx(theirs[name], rel=tolerance)


@pytest.mark.parametrize("case", ["brain1", "breast1"])
def test_what_the_peer_defines_otherwise_can_be_translated(
    case: str, found: dict[str, dict[str, float]], real_data: Path
) -> None:
    theirs, mine = baseline(real_data, "firstorder", case), found[case]
    assert mine["stat_kurt"] + 3 == pytest.approx(theirs["Kurtosis"], rel=1e-6)
    n = mine["stat_energy"] / mine["stat_rms"] ** 2
    shifted = mine["stat_energy"] + 2 * SHIFT * n * mine["stat_mean"] + n * SHIFT**2
    assert shifted == pytest.approx(theirs["Energy"], rel=1e-6)
    assert math.sqrt(shifted / n) == pytest.approx(theirs["RootMeanSquared"], rel=1e-6)
    axes = baseline(real_data, "shape", case)
    for name, tag in (("MajorAxisLength", "maj"), ("MinorAxisLength", "min"), ("LeastAxisLength", "least")):
        length = mine[f"morph_pca_{tag}_axis"] * np.sqrt((n - 1) / n)
        assert length == pytest.approx(axes[name], rel=1e-6)
