"""On which examples each operation is shown, and with which settings: where a name is missing, its folder decides."""

from __future__ import annotations

from collections.abc import Mapping

from tasks.imaging.step import Step, kind_of
from tasks.report.demonstration import Shown
from tasks.report.example import Example, ExampleKind

BY_FOLDER: Mapping[str, Shown] = {
    "repair": Shown(("CT", "MR", "picture")),
    "denoise": Shown(("MR", "CT", "picture"), planted="grain", close=True),
    "edges": Shown(("CT", "ultrasound", "picture")),
    "contrast": Shown(("ultrasound", "picture", "MR")),
    "standardize": Shown(("MR", "CT", "PET"), overview=True),
    "geometry": Shown(("CT", "MR", "picture"), overview=True),
    "fourier": Shown(("MR", "CT", "picture")),
}

BY_NAME: Mapping[str, tuple[Shown, ...]] = {
    "hot_pixels": (Shown(("CT", "MR"), planted="hot and dead pixels", close=True),),
    "bad_lines": (Shown(("CT", "MR"), planted="dead lines"),),
    "finite": (Shown(("CT", "MR"), {"reach_mm": 1.0}, planted="missing values"),),
    "inpaint": (Shown(("ultrasound", "picture"), planted="label"),),
    "interleave": (Shown(("MR", "CT"), planted="slice drift", overview=True, across=True),),
    "metal": (Shown(("CT",), planted="metal"),),
    "median": (Shown(("CT", "MR"), planted="hot and dead pixels", close=True), Shown(("ultrasound",), {"size": 5})),
    "gaussian": (Shown(("MR", "CT"), planted="grain", close=True), Shown(("retina",), {"sigma_mm": 2.0}, close=True)),
    "anisotropic_diffusion": (
        Shown(("MR", "CT"), planted="grain", close=True),
        Shown(("ultrasound",), {"iterations": 30}, close=True),
    ),
    "nlm": (Shown(("MR", "CT"), planted="grain", close=True), Shown(("retina",), planted="grain", close=True)),
    "canny": (Shown(("CT", "MR")), Shown(("ultrasound",), {"sigma_mm": 3.0})),
    "emboss": (Shown(("CT", "MR")), Shown(("retina",), {"amount": 3.0})),
    "frangi": (Shown(("CT",)), Shown(("retina",), {"ridges": "dark", "scales_mm": (1.5, 2.5, 3.5)})),
    "sato": (Shown(("CT",)), Shown(("retina",), {"ridges": "dark", "scales_mm": (1.5, 2.5, 3.5)})),
    "unsharp": (Shown(("MR", "CT"), close=True), Shown(("retina",), {"radius_mm": 4.0})),
    "clahe": (Shown(("ultrasound", "picture")), Shown(("retina",), {"clip_limit": 0.02})),
    "exposure": (Shown(("ultrasound", "picture"), {"stops": 0.7}),),
    "flatten": (Shown(("retina",), {"sigma_mm": 60.0}), Shown(("ultrasound", "picture"), planted="shading")),
    "gamma": (Shown(("ultrasound", "picture"), {"exponent": 0.6}), Shown(("retina",), {"exponent": 0.6})),
    "hair": (Shown(("retina",), planted="hairs"),),
    "hue": (Shown(("retina",), {"degrees": 40.0}),),
    "match_histogram": (Shown(("MR", "CT"), planted="brighter"),),
    "saturation": (Shown(("retina",), {"factor": 1.6}),),
    "shading": (
        Shown(("ultrasound", "picture"), planted="ramp"),
        Shown(("picture", "ultrasound"), {"mode": "add", "strength": 0.6}),
    ),
    "stain": (Shown(("tissue",), planted="faded"),),
    "stretch": (Shown(("ultrasound", "picture"), planted="dimmer"),),
    "white_balance": (Shown(("tissue", "retina"), planted="colour cast"),),
    "window": (Shown(("CT",), {"preset": "lung"}), Shown(("CT",), {"preset": "abdomen"})),
    "clip": (Shown(("CT",), {"range": (-160.0, 240.0)}),),
    "n4": (Shown(("MR",), planted="shading", overview=True), Shown(("MR",), number=2, overview=True)),
    "nyul": (Shown(("MR",), planted="brighter"),),
    "white_stripe": (Shown(("MR",), {"contrast": "FLAIR"}, overview=True),),
    "zscore": (Shown(("MR",), number=2, overview=True), Shown(("PET",), overview=True)),
    "crop_body": (Shown(("CT", "MR"), overview=True), Shown(("MR",), overview=True)),
    "crop_organ": (Shown(("CT",), overview=True),),
    "elastic": (Shown(("MR", "CT"), {"max_mm": 14.0}, overview=True),),
    "pad": (Shown(("MR", "CT"), {"margin_mm": (0.0, 20.0, 20.0)}, overview=True),),
    "reorient": (Shown(("CT", "MR"), {"frame": "RIP"}, overview=True, across=True),),
    "resample": (Shown(("CT", "MR"), {"spacing_mm": 4.0}, overview=True), Shown(("PET",), overview=True, across=True)),
    "resize": (Shown(("MR", "CT"), {"shape": (96, 96), "keep_aspect": True}, overview=True),),
    "rotate": (Shown(("CT", "MR"), {"degrees": 20.0, "interpolation": "cubic"}, overview=True),),
    "scale": (Shown(("CT", "MR"), {"factor": 1.4}, overview=True, filling=True),),
    "shear": (Shown(("CT", "MR"), {"degrees": 20.0}, overview=True),),
    "notch": (Shown(("MR", "CT"), planted="stripes"),),
    "coherence_anomaly": (Shown(("CT", "MR")),),
    "coherent_part": (Shown(("CT",), planted="grain", close=True),),
    "spectral_residual": (Shown(("CT", "MR")), Shown(("ultrasound",))),
}
"""Operations that need other images or settings than their folder's."""


def shown_on(name: str, kind: type[Step]) -> tuple[Shown, ...]:
    """How an operation is shown."""
    return BY_NAME.get(name) or (BY_FOLDER[folder_of(kind)],)


def folder_of(kind: type[Step]) -> str:
    """The folder of operations that it lies in."""
    return kind.__module__.split(".")[2]


def example_for(shown: Shown, kind: type[Step], examples: Mapping[ExampleKind, list[Example]]) -> Example | None:
    """An example of the first kind that is there and that the operation works on; ``None`` if there is none."""
    for wanted in (*shown.on, *examples):
        fitting = [e for e in examples.get(wanted, []) if kind_of(e.array, e.spacing_mm) in kind.kinds]
        if fitting:
            return fitting[min(shown.number, len(fitting)) - 1]
    return None
