"""Lung fields of a CT, closed so that nodules on the pleura and vessels lie inside.

*Aerated lung* is air inside the body. What it surrounds in a slice is filled; its *closing* by a ball then spans the
dents that nodules at the chest wall, vessels and the hilum make. (Filling after closing would take in the heart, where
the closing joins the two lungs in front of it and behind.)
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
from pydantic import Field

from storage.errors import CaseError
from storage.volume import Triple
from tasks.imaging.morphology import BoolArray, close_mask, fill_slices, label_components
from tasks.settings import StageSettings


class Settings(StageSettings):
    """How the lungs are found.

    Attributes
    ----------
    air_below_hu
        Voxels of the body below this are air; −400 HU lies between lung and soft tissue.
    min_ml
        Smaller pockets of air (bowel gas, airways outside the lung) are no lung.
    closing_mm
        Radius of the closing ball: half the width of the largest nodule on the pleura that shall be inside.
    """

    air_below_hu: float = -400.0
    min_ml: float = Field(200.0, gt=0)
    closing_mm: float = Field(15.0, ge=0)


def lung_mask(
    hu: npt.NDArray[Any], body: BoolArray, *, spacing_mm: Triple, settings: Settings | None = None
) -> BoolArray:
    """Find the closed lung fields.

    Parameters
    ----------
    hu
        CT ``(z, y, x)`` in HU.
    body
        Body mask of the same shape, lungs filled.
    spacing_mm
        Voxel spacing ``(z, y, x)`` in mm.
    settings
        ``None``: the defaults.

    Returns
    -------
    numpy.ndarray
        Boolean, same shape, inside ``body``.

    Raises
    ------
    CaseError
        When the body holds no pocket of air of ``min_ml``.
    """
    settings = settings or Settings()
    labels, _ = label_components((np.asarray(hu) < settings.air_below_hu) & body)
    ml = np.bincount(labels.ravel()) * float(np.prod(spacing_mm)) / 1000.0
    ml[0] = 0.0
    if ml.max() < settings.min_ml:
        raise CaseError(
            f"no lungs found: expected at least {settings.min_ml:g} ml of air inside the body, got {ml.max():.1f} ml; "
            "where no lung is imaged, search in 'body'"
        )
    aerated = np.asarray(ml >= settings.min_ml)[labels]
    return close_mask(fill_slices(aerated), radius_mm=settings.closing_mm, spacing_mm=spacing_mm) & body
