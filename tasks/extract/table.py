"""The feature table: one row per candidate, one column per feature, and the data dictionary that explains the columns.

Columns are named ``family.feature`` and stand in the order of the settings' families and of each family's own list. A
value that is not defined for a region (elongation of a single voxel) is NaN: the row and the column stay, and the
model's imputation decides. A family that returns other names than it declares, or an infinite value, is a defect and
raises.
"""

from __future__ import annotations

import json
import math

import pandas as pd

from storage.volume import Triple, Volume
from tasks.extract.region import cut_region
from tasks.extract.registry import Family, load_family
from tasks.extract.settings import Settings
from tasks.imaging.candidate_set import CandidateSet
from tasks.imaging.morphology import BoolArray, Box
from tasks.settings import StageSettings

Chosen = list[tuple[Family, StageSettings]]


def extract_features(image: Volume, candidates: CandidateSet, settings: Settings | None = None) -> pd.DataFrame:
    """Compute the features of all candidates of one image.

    Parameters
    ----------
    image
        The image that the candidates were found in.
    candidates
        Their masks; nothing else of them is looked at.
    settings
        ``None``: the defaults.

    Returns
    -------
    pandas.DataFrame
        ``number`` (``int64``, of the candidate) and ``float64`` feature columns, in the candidates' order.
    """
    chosen = _chosen(settings)
    rows = [_row(image, box, mask, chosen) for box, mask in candidates.masks()]
    columns = [f"{family.name}.{name}" for family, block in chosen for name in family.features(block)]
    table = pd.DataFrame(rows, columns=columns, dtype="float64")
    table.insert(0, "number", candidates.table["number"].to_numpy(dtype="int64"))
    return table


def data_dictionary(settings: Settings | None = None, *, unit: str = "intensity") -> pd.DataFrame:
    """What each feature column is.

    Parameters
    ----------
    settings
        ``None``: the defaults.
    unit
        The image's unit, e.g. ``"SUV"``, put in place of the word *intensity*.

    Returns
    -------
    pandas.DataFrame
        One row per feature column: ``name``, ``ibsi_code`` (empty where the standard has none), ``unit``, ``family``,
        ``description``, ``settings`` (the family's, as JSON).
    """
    rows = [
        (
            f"{family.name}.{name}",
            info.ibsi_code or "",
            info.unit.replace("intensity", unit),
            family.name,
            info.description,
            json.dumps(block.model_dump(mode="json"), sort_keys=True),
        )
        for family, block in _chosen(settings)
        for name, info in family.features(block).items()
    ]
    return pd.DataFrame(rows, columns=["name", "ibsi_code", "unit", "family", "description", "settings"])


def _chosen(settings: Settings | None) -> Chosen:
    settings = settings or Settings()
    return [(load_family(name), settings.block(name)) for name in settings.families]


def _row(image: Volume, box: Box, mask: BoolArray, chosen: Chosen) -> list[float]:
    row: list[float] = []
    for family, block in chosen:
        region = cut_region(image, box, mask, margin_mm=family.margin_mm(_extent_mm(box, image.spacing_mm), block))
        values = family.compute(region, block)
        expected = list(family.features(block))
        if list(values) != expected:
            raise ValueError(f"family {family.name!r} declares {expected} and returned {list(values)}")
        if infinite := [name for name, value in values.items() if math.isinf(value)]:
            raise ValueError(
                f"family {family.name!r} returned infinite values for {', '.join(infinite)}; expected finite or NaN"
            )
        row.extend(values.values())
    return row


def _extent_mm(box: Box, spacing_mm: Triple) -> Triple:
    z, y, x = ((side.stop - side.start) * s for side, s in zip(box, spacing_mm, strict=True))
    return z, y, x
