"""From a DICOM series and its contours to every feature of the IBSI, configuration D, beside MIRP.

Both read the files, interpolate, re-segment, discretize and describe in one call. Features go by the names of the
standard's tables of reference values.
"""

from __future__ import annotations

from collections.abc import Callable

from tests.benchmarks.extract.subject import CONFIGURATION_D, TUMOUR, Subject
from tests.benchmarks.row import Row

NAMES = {
    "morph": "volume vol_approx area_mesh av comp_1 comp_2 sph_dispr sphericity asphericity com diam pca_maj_axis "
    "pca_min_axis pca_least_axis pca_elongation pca_flatness vol_dens_aabb area_dens_aabb vol_dens_aee area_dens_aee "
    "vol_dens_conv_hull area_dens_conv_hull integ_int",
    "loc": "peak_loc peak_glob",
    "stat": "mean var skew kurt median min p10 p90 max iqr range mad rmad medad cov qcod energy rms",
    "ih": "mean var skew kurt median min p10 p90 max mode iqr range mad rmad medad cov qcod entropy uniformity "
    "max_grad max_grad_g min_grad min_grad_g",
    "cm": "joint_max joint_avg joint_var joint_entr diff_avg diff_var diff_entr sum_avg sum_var sum_entr energy "
    "contrast dissimilarity inv_diff inv_diff_norm inv_diff_mom inv_diff_mom_norm inv_var corr auto_corr clust_tend "
    "clust_shade clust_prom info_corr1 info_corr2",
    "rlm": "sre lre lgre hgre srlge srhge lrlge lrhge glnu glnu_norm rlnu rlnu_norm r_perc gl_var rl_var rl_entr",
    "szm": "sze lze lgze hgze szlge szhge lzlge lzhge glnu glnu_norm zsnu zsnu_norm z_perc gl_var zs_var zs_entr",
    "dzm": "sde lde lgze hgze sdlge sdhge ldlge ldhge glnu glnu_norm zdnu zdnu_norm z_perc gl_var zd_var zd_entr",
    "ngt": "coarseness contrast busyness complexity strength",
    "ngl": "lde hde lgce hgce ldlge ldhge hdlge hdhge glnu glnu_norm dcnu dcnu_norm dc_perc gl_var dc_var dc_entr "
    "dc_energy",
}
AGGREGATED = dict.fromkeys(("cm", "rlm"), "_3D_comb") | dict.fromkeys(("szm", "dzm", "ngt", "ngl"), "_3D")
THEIRS = dict.fromkeys(("rlm",), "_3d_v_mrg") | dict.fromkeys(("szm", "dzm", "ngt"), "_3d")
THEIRS |= {"cm": "_d1_3d_v_mrg", "ngl": "_d1_a0.0_3d"}
COMPARED = [(kind, name) for kind, names in NAMES.items() for name in names.split()]


def ours(subject: Subject) -> Callable[[], dict[str, float]]:
    from flows.one_region import STANDARD, features_of_files
    from tasks.extract.describe import columns
    from tasks.extract.settings import Settings

    image, contours = subject.dicom()
    settings = Settings.model_validate({"families": (*STANDARD, "autocorrelation"), **CONFIGURATION_D})
    tags = {name: info.tag for name, info in columns(settings).items()}

    def describe() -> dict[str, float]:
        described = features_of_files(image, contours, settings)
        found = {tags[one.name]: one.value for one in described.values}
        return {f"{kind}_{name}": found[f"{kind}_{name}{AGGREGATED.get(kind, '')}"] for kind, name in COMPARED}

    return describe


def theirs(subject: Subject) -> Callable[[], dict[str, float]]:
    import logging

    from mirp import extract_features

    logging.disable(logging.INFO)
    image, contours = (str(path) for path in subject.dicom())
    bins = CONFIGURATION_D["discretization"]["bins"]
    configuration = {
        "new_spacing": CONFIGURATION_D["interpolation"]["spacing_mm"],
        "spline_order": 1,
        "roi_spline_order": 1,
        "anti_aliasing": False,
        "resegmentation_method": "sigma",
        "resegmentation_sigma": CONFIGURATION_D["resegmentation"]["outliers_sd"],
        "base_discretisation_method": "fixed_bin_number",
        "base_discretisation_n_bins": bins,
        "base_feature_families": "all",
    }

    def named(kind: str, name: str) -> str:
        levels = f"_fbn_n{bins}" if kind == "ih" or kind in AGGREGATED else ""
        return f"{kind}_{name}{THEIRS.get(kind, '')}{levels}"

    def describe() -> dict[str, float]:
        [table] = extract_features(image=image, mask=contours, image_modality="ct", **configuration)
        row = table.iloc[0]
        return {f"{kind}_{name}": float(row[named(kind, name)]) for kind, name in COMPARED}

    return describe


ROW = Row(
    work="dicom_to_features",
    peer="mirp",
    ours=ours,
    theirs=theirs,
    tolerance=1e-5,
    says=f"DICOM series and contours of {TUMOUR}, configuration D, every family of the IBSI on both sides: morphology "
    "with Moran's I and Geary's C (ours over all pairs of voxels, MIRP's estimated from samples of 100, therefore not "
    "compared), local intensity, statistics, histogram, intensity-volume histogram (read off levels by MIRP, not "
    "compared), GLCM and GLRLM merged over directions, GLSZM, GLDZM, NGTDM, NGLDM; MIRP's statistics have single "
    f"precision; {len(COMPARED)} features compared: " + "; ".join(f"{kind} {names}" for kind, names in NAMES.items()),
    wanted=30.0,
    scale="relative",
)
