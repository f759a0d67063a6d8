"""What is compared: one piece of work, done by us and by a library that people would use otherwise.

A row is one file in the folder of its work (``normalize/median.py``): two functions and a ``ROW``. Each function is
called in a process of its own, in the environment of its side, with the same subject. It prepares what does not count
(converts to the library's type, makes a second image) and returns what does: a function without arguments, which is
called again and again, and timed. The libraries are therefore imported inside the functions.

The *subject* is what the rows of a work are about, such as a volume. The folder's ``subject.py`` says it once for all:
``make(folder)`` leaves files, in our environment, and ``load(folder)`` reads them, in the environment of each side.
"""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[Any]
Prepare = Callable[[Any], Callable[[], Any]]
Side = Literal["ours", "theirs"]
Scale = Literal["absolute", "relative", "of range"]
SUBJECT = "subject"

OURSELVES = "ours"
PEERS = {
    "flash_radiomics": "flash-radiomics",
    "mirp": "mirp",
    "monai": "monai",
    "nyxus": "nyxus",
    "pyradiomics": "pyradiomics",
    "pywavelets": "PyWavelets",
    "scikit_image": "scikit-image",
    "scipy": "scipy",
    "simpleitk": "SimpleITK",
    "torch_eager": "torch",
    OURSELVES: "numba",
}
"""Names of the peers as their packages are called. The last is ourselves: another way to do the same."""
AT_HOME = frozenset({OURSELVES, "monai", "torch_eager"})
"""Peers that we stand on, in the versions of our own environment."""


@dataclass(frozen=True)
class Row:
    """One comparison.

    Attributes
    ----------
    work, peer
        Their names in the table; ``peer`` is one of ``PEERS``.
    ours, theirs
        Prepare the work on the subject, and return what is timed; for what it may give see :func:`as_array`.
    tolerance
        Largest difference of results that count as equal.
    says
        What is compared, and where the two define things differently.
    wanted
        So many times faster we want to be; 1 is parity, and less is what may be left of it where the peer is spared
        a part of the work.
    margin
        Voxels at every face that are left out of the comparison, where the two treat the border differently.
    scale
        Whether differences are as they are, or shares: of the larger of the two values, or of the range of the peer's
        values in each of several arrays.
    """

    work: str
    peer: str
    ours: Prepare
    theirs: Prepare
    tolerance: float
    says: str
    wanted: float
    margin: int = 0
    scale: Scale = "absolute"

    @property
    def name(self) -> str:
        """As it is chosen: ``median/simpleitk``."""
        return f"{self.work}/{self.peer}"


def works() -> list[str]:
    """Folders of rows beside this file."""
    return sorted(path.name for path in Path(__file__).parent.iterdir() if path.is_dir() and any(path.glob("*.py")))


def rows_of(work: str) -> list[Row]:
    """The rows of a folder, in the order of their files."""
    names = [module.name for module in pkgutil.iter_modules([str(Path(__file__).parent / work)])]
    return [importlib.import_module(f"tests.benchmarks.{work}.{name}").ROW for name in sorted(names) if name != SUBJECT]


def subject_of(work: str) -> ModuleType:
    """The module with ``make`` and ``load`` of a folder of rows."""
    return importlib.import_module(f"tests.benchmarks.{work}.{SUBJECT}")


def as_array(result: Any) -> Array:
    """What a side gave, as NumPy array: also an image of SimpleITK, and several arrays by name, in their order."""
    if isinstance(result, Mapping):
        return np.stack([result[name] for name in sorted(result)])
    if hasattr(result, "GetPixelIDValue"):
        import SimpleITK as sitk

        return np.asarray(sitk.GetArrayFromImage(result))
    return np.asarray(result)


def largest_difference(ours: Array, theirs: Array, margin: int = 0, scale: Scale = "absolute") -> float:
    """Largest difference away from the faces; infinite where shapes differ or a value is not a number."""
    if ours.shape != theirs.shape:
        return float("inf")
    inner = tuple(slice(margin, n - margin) for n in ours.shape)
    pairs = zip(np.atleast_1d(ours[inner]), np.atleast_1d(theirs[inner]), strict=True)  # slices: memory stays small
    largest = max((_difference(a.astype(np.float64), b.astype(np.float64), scale) for a, b in pairs), default=0.0)
    return largest if np.isfinite(largest) else float("inf")


def _difference(a: Array, b: Array, scale: Scale) -> float:
    apart = np.abs(a - b)
    if scale == "relative":
        apart = apart / np.where(apart > 0, np.maximum(np.abs(a), np.abs(b)), 1.0)
    elif scale == "of range":
        apart = apart / (np.ptp(b) or 1.0)
    return float(apart.max())
