"""The feature table: one row per candidate, one column per feature, and the data dictionary that explains the columns.

Columns are named ``family.feature``, or ``filter.family.feature`` on a response map, and stand in the order of the
settings' families, of each family's own list, and then of the filters. A value that is not defined for a region
(elongation of a single voxel) is NaN: the row and the column stay, and the model's imputation decides.
"""

from __future__ import annotations

import json

import pandas as pd

from storage.volume import Volume
from tasks.extract.describe import Describer, asks_for_surroundings, columns
from tasks.extract.region import RESPONSE
from tasks.extract.settings import Settings
from tasks.extract.surroundings import Scene
from tasks.imaging.candidate_set import CandidateSet
from tasks.imaging.morphology import BoolArray

PREPARED = {"interpolation", "resegmentation", "discretization", "response_discretization"}
"""Settings that belong to every feature."""


def extract_features(
    image: Volume,
    candidates: CandidateSet,
    settings: Settings | None = None,
    *,
    organ: BoolArray | None = None,
    body: BoolArray | None = None,
) -> pd.DataFrame:
    """Compute the features of all candidates of one image.

    Parameters
    ----------
    image
        The image that the candidates were found in.
    candidates
        Their masks; nothing else of them is looked at.
    settings
        ``None``: the defaults.
    organ, body
        Masks of the image's shape, for families that ask where a candidate lies; ``None``: not known.

    Returns
    -------
    pandas.DataFrame
        ``number`` (``int64``, of the candidate) and ``float64`` feature columns, in the candidates' order.
    """
    settings = settings or Settings()
    scene = Scene(image, list(candidates.masks()), organ, body) if asks_for_surroundings(settings) else None
    describer = Describer(image, settings, scene)
    rows = describer.describe_all(describer.region(box, mask) for box, mask in candidates.masks())
    table = pd.DataFrame(rows, columns=list(describer.columns), dtype="float64")
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
        One row per feature column: ``name``, ``ibsi_code`` and ``ibsi_tag`` (empty where the standard has none),
        ``unit``, ``family``, ``filter`` (its settings as JSON, empty on the image itself), ``description``,
        ``nan_when``, ``settings`` (the family's, as JSON), ``prepared`` (how regions were prepared, as JSON).
    """
    settings = settings or Settings()
    prepared = _json(settings.model_dump(mode="json", include=PREPARED))
    labels = {one.label: one for one in settings.filters}
    rows = []
    for name, info in columns(settings).items():
        *label, family, _ = name.rsplit(".", 2)
        seen_by = labels.get(label[0]) if label else None
        rows.append(
            {
                "name": name,
                "ibsi_code": info.ibsi_code or "",
                "ibsi_tag": info.tag or "",
                "unit": info.unit.replace("intensity", RESPONSE if seen_by else unit),
                "family": family,
                "filter": _json(seen_by.model_dump(mode="json")) if seen_by else "",
                "description": info.description,
                "nan_when": info.nan_when,
                "settings": _json(settings.block(family).model_dump(mode="json")),
                "prepared": prepared,
            }
        )
    return pd.DataFrame(rows)


def _json(values: object) -> str:
    return json.dumps(values, sort_keys=True)
