"""From a picture as it was stored to one that can be compared with others: the listed steps, then one frame and size.

The steps come first, on the picture as it was stored: what they mend or lighten helps to find the picture's content,
and what they do to the background is black again once it is framed.
"""

from __future__ import annotations

import numpy as np
from pydantic import field_validator

from storage.errors import CaseError
from tasks.imaging.catalog import AnyStep, refuse_unfit
from tasks.imaging.picture_frame import Pixels, frame_picture
from tasks.imaging.picture_frame import Settings as FrameSettings
from tasks.imaging.step import SHOWN, Array, apply_step

PIXEL = (1.0, 1.0)
"""Pictures have no scale: what is said in mm is meant in pixels."""
UNIT = "grey"


class PictureSettings(FrameSettings):
    """One block ``[normalize]`` of a study of pictures, with its ``[[normalize.steps]]``.

    Attributes
    ----------
    steps
        What is done before a picture is framed, in this order; mm are pixels. What comes out is grey from 0 to 255,
        or a share from 0 to 1, which is brought to it.
    """

    steps: tuple[AnyStep, ...] = ()

    @field_validator("steps")
    @classmethod
    def _for_pictures(cls, steps: tuple[AnyStep, ...]) -> tuple[AnyStep, ...]:
        unit = UNIT
        for step in steps:
            refuse_unfit(step, "colour")
            if step.learns():
                raise ValueError(f"'{step.name}' learns from other images, which is for volumes alone")
            unit = step.unit_after(unit)
        if unit not in SHOWN:
            raise ValueError(
                f"'{steps[-1].name}' leaves values that are no grey levels; end with 'rescale' or 'stretch'"
            )
        return steps


def normalize_picture(pixels: Pixels, settings: PictureSettings) -> Pixels:
    """Do the steps, and frame the result.

    Parameters
    ----------
    pixels
        uint8 RGB ``(height, width, 3)``.

    Returns
    -------
    numpy.ndarray
        uint8 RGB ``(size, size, 3)``, as of :func:`tasks.imaging.picture_frame.frame_picture`.

    Raises
    ------
    CaseError
        A step cannot be done, and is named; or the picture has one colour all over.
    """
    values: Array = pixels
    unit = UNIT
    for number, step in enumerate(settings.steps, start=1):
        try:
            values = apply_step(step, values, PIXEL, unit=unit)
        except CaseError as error:
            raise CaseError(f"step {number} ({step.name}): {error}") from error
        unit = step.unit_after(unit)
    if unit == "share":
        values = values * 255.0
    return frame_picture(np.clip(np.rint(values), 0, 255).astype(np.uint8), settings)
