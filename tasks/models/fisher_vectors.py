"""Fisher vectors: a picture told by how its local descriptors differ from those of all pictures, and least squares.

The strongest way to classify pictures before networks learned their own features, and still one for few of them: a
network has to learn from some hundred pictures what an edge is, here some hundred thousand surroundings of points are
enough. Their *vocabulary* is a Gaussian mixture; a picture is the gradient of its descriptors' likelihood with respect
to means, variances and weights of the mixture (Perronnin, Sánchez & Mensink 2010, doi:10.1007/978-3-642-15561-1_11).
Since descriptors know their place, a Gaussian is a kind of texture somewhere in the head (Sánchez, Perronnin & de
Campos 2012, doi:10.1016/j.patrec.2012.07.019).

Beside a Fisher vector stand the binary patterns of 4 × 4 blocks (:mod:`tasks.imaging.block_patterns`): textures finer
than what descriptors see. Penalized least squares on the classes learns from both; it errs no more than a support
vector machine and is one equation (Rifkin, Yeo & Poggio 2003, "Regularized least-squares classification").

It looks at framed pictures by itself (``build_on_pictures``). Components, vocabulary and weights are all fitted, so
that they belong here, on training pictures alone, and not into extract.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

from pydantic import Field

from tasks.settings import StageSettings

if TYPE_CHECKING:
    from sklearn.pipeline import Pipeline


class Settings(StageSettings):
    """What is described, in how many words, and what an error costs.

    The defaults were chosen on 480 brain MR pictures, cut into folds by other seeds than their study's.
    """

    side: int = Field(default=128, ge=32, le=512, description="Pixels of the picture that is described.")
    cells_px: tuple[Annotated[int, Field(ge=2, le=32)], ...] = Field(
        default=(3, 5, 8), min_length=1, description="Sizes of surroundings: each of 4 × 4 cells of so many pixels."
    )
    step_px: int = Field(default=5, ge=1, le=32, description="Between the points of the grid.")
    components: int = Field(default=40, ge=1, le=128, description="Principal components of the orientations.")
    gaussians: int = Field(default=64, ge=1, le=512, description="Words of the vocabulary.")
    learned_points: int = Field(default=120, ge=1, description="Of each picture, drawn for the vocabulary.")
    patterns: float = Field(
        default=0.8, ge=0, description="Length of the binary patterns, where a Fisher vector's is 1; 0: without them."
    )
    penalty: float = Field(default=0.1, gt=0, description="Of the sum of squared weights: scikit-learn's alpha.")
    mirrored: bool = Field(
        default=True, description="Learn from mirror images too, and average the answers on a picture and its own."
    )


def build_on_pictures(settings: Settings, *, seed: int) -> Pipeline:
    """An unfitted classifier of pictures uint8 ``(n, y, x, 3)``; ``seed`` draws points and starts the vocabulary."""
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import FunctionTransformer

    from tasks.models.estimators.fisher_vectors import FisherVectorClassifier, picture_descriptors

    options = settings.model_dump()
    looks = {name: options.pop(name) for name in ("side", "cells_px", "step_px", "mirrored")}
    return make_pipeline(
        FunctionTransformer(picture_descriptors, kw_args=looks), FisherVectorClassifier(**options, seed=seed)
    )
