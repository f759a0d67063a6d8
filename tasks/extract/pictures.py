"""Hand-made features of a picture, as named columns ``family.feature`` of a table with one row per picture."""

from __future__ import annotations

from tasks.extract.feature import FeatureInfo
from tasks.extract.picture_registry import load_picture_family
from tasks.extract.picture_settings import PictureSettings
from tasks.imaging.picture_frame import Pixels


def picture_feature_info(settings: PictureSettings) -> dict[str, FeatureInfo]:
    """What each column of `picture_features` is, in its order."""
    return {
        f"{name}.{column}": info
        for name in settings.computed
        for column, info in load_picture_family(name).features(settings.block(name)).items()
    }


def picture_features(original: Pixels, framed: Pixels, settings: PictureSettings) -> dict[str, float]:
    """All features of one picture that a study asks for.

    Parameters
    ----------
    original
        uint8 RGB ``(height, width, 3)``, as decoded.
    framed
        uint8 RGB ``(side, side, 3)``, the same picture framed.

    Returns
    -------
    dict
        By column name, in the order of `picture_feature_info`; NaN where a value is not defined.

    Raises
    ------
    CaseError
        Nothing is left inside the picture's frame.
    """
    return {
        f"{name}.{column}": value
        for name in settings.computed
        for column, value in load_picture_family(name).compute(original, framed, settings.block(name)).items()
    }
