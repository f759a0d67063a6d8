"""From a picture as it was stored to one that can be compared with others: the listed steps, then one frame and size.

The steps come first, on the picture as it was stored: what they mend or lighten helps to find the picture's content,
and what they do to the background is black again once it is framed.
"""

from __future__ import annotations

import numpy as np
from pydantic import field_validator

from storage.errors import CaseError
from tasks.imaging.catalog import AnyStep
from tasks.imaging.picture_frame import Pixels, frame_picture
from tasks.imaging.picture_frame import Settings as FrameSettings
from tasks.imaging.step import apply_step

PIXEL = (1.0, 1.0)
"""Pictures have no scale: what is said in mm is meant in pixels."""


class PictureSettings(FrameSettings):
    """One block ``[normalize]`` of a study of pictures, with its ``[[normalize.steps]]``.

    Attributes
    ----------
    steps
        What is done before a picture is framed, in this order. Values stay between 0 and 255, and mm are pixels.
    """

    steps: tuple[AnyStep, ...] = ()

    @field_validator("steps")
    @classmethod
    def _for_pictures(cls, steps: tuple[AnyStep, ...]) -> tuple[AnyStep, ...]:
        for step in steps:
            if "colour" not in step.kinds:
                raise ValueError(f"'{step.name}' is for {' and '.join(sorted(step.kinds))} images, not for colour")
            if step.learns():
                raise ValueError(f"'{step.name}' learns from other images, which is for volumes alone")
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
    for number, step in enumerate(settings.steps, start=1):
        try:
            result = apply_step(step, pixels, PIXEL)
        except CaseError as error:
            raise CaseError(f"step {number} ({step.name}): {error}") from error
        pixels = np.clip(np.rint(result), 0, 255).astype(np.uint8)
    return frame_picture(pixels, settings)
