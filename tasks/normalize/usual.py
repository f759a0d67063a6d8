"""What an expert would do with an image that a study says nothing about.

- **CT** is a physical scale already. Hounsfield units are kept; what 12 bits cannot say is cut off (padding outside the
  field of view, metal), since such values would rule every mean and every interpolation near them.
- **PET** as SUV is one too. It is cut to 0..100: less is noise of the reconstruction, more no tissue takes up.
- **MR** has no scale of its own, and the coil's sensitivity shades it. The shading is removed by N4
  (doi:10.1109/TMI.2010.2046908) before anything else, since every statistic of intensities suffers from it; then the
  patient gets mean 0 and standard deviation 1, from this image alone. A study that wants more of its MR (WhiteStripe,
  Nyúl's landmarks) lists its steps: which tissue can be a reference depends on the organ.

All are brought onto the study's grid linearly: a spline overshoots at edges, and on smooth images gains little. The
grid comes before the standardization, so that its statistics belong to the voxels that are kept.
"""

from __future__ import annotations

from tasks.imaging.geometry import resample
from tasks.imaging.standardize import clip, n4, zscore
from tasks.imaging.step import Step
from tasks.normalize.settings import Settings


def steps_of(settings: Settings, unit: str) -> tuple[Step, ...]:
    """The steps for an image of this unit: those listed, or the usual ones."""
    if settings.steps is not None:
        return settings.steps
    grid = (resample.Settings(spacing_mm=settings.spacing_mm),) if settings.spacing_mm else ()
    if unit in clip.RANGE_BY_UNIT:
        return (clip.Settings(), *grid)
    return (n4.Settings(), *grid, zscore.Settings())
