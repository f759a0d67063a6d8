"""Where a fitted network looked in a picture."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from tasks.deep.device import torch_threads
from tasks.deep.networks import FittedNetwork, Pictures, planes_of, rebuilt, standardized
from tasks.discover import MODELS, part

if TYPE_CHECKING:
    from torch import Tensor


def saliency(
    fitted: FittedNetwork,
    picture: Pictures,
    *,
    label: int | None = None,
    threads: int = 1,
    device: str = "cpu",
) -> npt.NDArray[np.float32]:
    """Where the network saw a class: Grad-CAM (Selvaraju et al. 2017, doi:10.1109/ICCV.2017.74, equations 1 and 2).

    The last activation maps that have a place, each weighted by its mean gradient, summed, cut at zero, and enlarged to
    the picture. The gradient is of the class's logit minus the mean of the others, not of the logit alone as in the
    source. As coarse as these maps: a hint at the place, not an outline.

    Parameters
    ----------
    picture
        ``(y, x, 3)`` uint8.
    label
        The class asked for; ``None`` for the predicted one.

    Returns
    -------
    ``(y, x)`` in 0..1, largest where most speaks for the class; all zero where nothing does.
    """
    import torch
    from torch.nn.functional import interpolate, relu

    with torch_threads(threads):
        network = rebuilt(fitted).to(device).eval()
        kept: list[Tensor] = []
        layer = network.get_submodule(part(MODELS, fitted.model).LAST_MAPS)
        layer.register_forward_hook(lambda _module, _inputs, output: kept.append(output))
        planes = planes_of(picture[None], fitted.input_px)
        logits = network(standardized(planes.float() / 255, fitted.mean, fitted.std).to(device))[0]
        asked = int(logits.argmax()) if label is None else label
        # The same added to all logits changes no probability: what counts is how far one stands out from the others.
        contrast = logits[asked] - (logits.sum() - logits[asked]) / (len(logits) - 1)
        (gradient,) = torch.autograd.grad(contrast, kept[0])
        weights = gradient.mean(dim=(2, 3), keepdim=True)
        seen = relu((weights * kept[0].detach()).sum(dim=1, keepdim=True))
        seen = interpolate(seen, size=picture.shape[:2], mode="bilinear", align_corners=False)[0, 0].cpu()
        highest = float(seen.max())
        return np.asarray(seen / highest if highest > 0 else seen, dtype=np.float32)
