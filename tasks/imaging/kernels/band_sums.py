"""Power and cross-power of many small spectra, added up over bands of frequencies in one pass."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from numba import njit

Complex = npt.NDArray[np.complexfloating]
