"""One picture, at once and without a flow: the class that a model in production sees in it.

The source article's ``detect_lesion`` takes the arg-max over the wrong dimension and none of the repairs that its text
claims. Here a picture goes through the same decoding and framing as the pictures that the model learned from.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from storage.artifacts import ArtifactStore
from storage.errors import StoreError
from storage.models import ModelRegistry

if TYPE_CHECKING:
    import numpy.typing as npt

    Pixels = npt.NDArray[np.uint8]


@dataclass(frozen=True, eq=False)
class Prediction:
    """What a model says of one picture.

    Attributes
    ----------
    index, label
        The predicted class: its place among the model's classes, and its name.
    probabilities
        Calibrated probability of each class, by name; they sum to 1.
    framed
        The picture as the model saw it, uint8 RGB ``(y, x, 3)``.
    saliency
        Where the predicted class was seen (Grad-CAM), float ``(y, x)`` in 0..1 on the framed picture; ``None`` where no
        network is among the models.
    model
        Key of the model.
    """

    index: int
    label: str
    probabilities: dict[str, float]
    framed: Pixels
    saliency: npt.NDArray[np.float32] | None
    model: str


def detect_lesion(image: Path | str | Pixels, *, store: Path | str, model: str | None = None) -> int:
    """The predicted class of a picture, as the article's function of this name returns it.

    Parameters
    ----------
    image
        A picture file, or its pixels: uint8 RGB ``(y, x, 3)`` or grey ``(y, x)``.
    store
        Artifact store with the model.
    model
        Name of the model, whose alias ``production`` is used; ``None`` where the store has one alone.

    Returns
    -------
    int
        Index into the model's classes (`classify_picture` gives their names).

    Raises
    ------
    CaseError
        The picture cannot be used; the text says why.
    StoreError
        There is no such model, or it is none for pictures.
    """
    return classify_picture(image, store=store, model=model).index


def classify_picture(image: Path | str | Pixels, *, store: Path | str, model: str | None = None) -> Prediction:
    """Class, probabilities and saliency of a picture. Parameters and errors as in `detect_lesion`."""
    import pandas as pd

    from tasks.deep.saliency import saliency
    from tasks.extract.picture_settings import PictureSettings as ExtractSettings
    from tasks.extract.pictures import picture_features
    from tasks.load_model import load_picture_model, needs_features
    from tasks.normalize.pictures import PictureSettings, normalize_picture
    from tasks.threads import thread_budget

    found = ArtifactStore(Path(store))
    registered = ModelRegistry(found.root).get(model)
    key = registered.aliases["production"]
    study: dict[str, Any] = registered.studies[key]
    if study.get("kind") != "pictures":
        raise StoreError(f"the model '{registered.name}' is none for pictures; screen volumes with `lesionflow screen`")
    fitted = load_picture_model(found, key)
    pixels = _pixels(image)
    framed = normalize_picture(pixels, PictureSettings.model_validate(study["normalize"]))
    features = None
    if needs_features(found, key):
        extract = ExtractSettings.model_validate(study.get("extract", {}))
        features = pd.DataFrame([picture_features(pixels, framed, extract)])
    probabilities = fitted.predict(framed[None], features)[0]
    index = int(probabilities.argmax())
    network = next(fitted.networks(), None)
    return Prediction(
        index=index,
        label=fitted.class_names[index],
        probabilities=dict(zip(fitted.class_names, map(float, probabilities), strict=True)),
        framed=framed,
        saliency=saliency(network, framed, label=index, threads=thread_budget()) if network else None,
        model=key,
    )


def _pixels(image: Path | str | Pixels) -> Pixels:
    from tasks.ingest.picture_file import read_picture

    if isinstance(image, (str, Path)):
        return read_picture(Path(image)).pixels
    pixels = np.asarray(image)
    if pixels.dtype != np.uint8 or pixels.ndim not in (2, 3) or (pixels.ndim == 3 and pixels.shape[2] != 3):
        raise ValueError(f"expected uint8 pixels (y, x, 3) or (y, x); got {pixels.dtype} {pixels.shape}")
    return np.repeat(pixels[..., None], 3, axis=-1) if pixels.ndim == 2 else pixels
