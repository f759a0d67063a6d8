"""A volume segmented window by window: ours beside MONAI's ``sliding_window_inference`` as it comes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from tests.benchmarks.row import Array, Row
from tests.benchmarks.train.subject import Subject

WINDOW = (64, 64, 64)
OVERLAP = 0.25
CLASSES = 3


def volume() -> Array:
    """Eight windows of noise, ``(1, z, y, x)``."""
    return np.random.default_rng(0).standard_normal((1, 96, 96, 80), dtype=np.float32)


def network() -> Any:
    """Residual units, and 32 maps in the first level as nnU-Net has it; its start is its weights."""
    from tasks.models.unet import Settings, build_segmenter, planned

    settings = planned(Settings(width=32), spacing_mm=(1.0, 1.0, 1.0), shape=WINDOW)
    return build_segmenter(settings, classes=CLASSES, channels=1, seed=0).network.eval()


def ours(_subject: Subject) -> Callable[[], Array]:
    from tasks.deep.windows import logits_of, predict_windows

    asked, seen = network(), volume()
    options: dict[str, Any] = {"classes": CLASSES, "window": WINDOW, "overlap": OVERLAP, "finish": logits_of}
    return lambda: predict_windows(asked, seen, **options).answer


def theirs(_subject: Subject) -> Callable[[], Array]:
    import torch
    from monai.inferers import sliding_window_inference

    asked, seen = network(), torch.from_numpy(volume())[None]

    def infer() -> Array:
        with torch.inference_mode():
            return sliding_window_inference(seen, WINDOW, 1, asked, overlap=OVERLAP, mode="gaussian")[0].numpy()

    return infer


ROW = Row(
    work="sliding_window",
    peer="monai",
    ours=ours,
    theirs=theirs,
    tolerance=0.05,
    says="96×96×80 voxels in 8 windows of 64³ with 1/4 overlap and Gaussian weights, the same U-Net of 32 maps; logits "
    "as shares of their range; ours multiplies in bfloat16 where the machine does, and its process keeps freed memory; "
    "MONAI in float32 as it comes",
    wanted=3.0,
    scale="of range",
)
