"""What a study may ask of ingest."""

from __future__ import annotations

import pytest
from pydantic import ValidationError

from tasks.ingest.settings import MINIMUM_SLICES, Settings


def test_one_modality_is_enough() -> None:
    settings = Settings.model_validate({"images": {"pet": {"modality": "PT"}}})
    assert settings.images["pet"].minimum_slices == MINIMUM_SLICES
    assert (settings.annotation, settings.recrop, settings.quiet_seconds) == (None, None, 0)


def test_a_recrop_without_amount_takes_45_mm() -> None:
    settings = Settings.model_validate({"images": {"ct": {"modality": "CT"}}, "recrop": {}})
    assert settings.recrop is not None
    assert settings.recrop.max_mm == 45


@pytest.mark.parametrize(
    "change",
    [
        {"images": {}},
        {"images": {"Pet!": {"modality": "PT"}}},
        {"images": {"us": {"modality": "US"}}},
        {"images": {"ct": {"modality": "CT", "minimum_slices": 2}}},
        {"annotation": {"image": "ct"}},
        {"annotation": {"image": "pet", "roi": []}},
        {"recrop": {"max_mm": 0}},
        {"quiet_seconds": -1},
        {"quite_seconds": 1},
    ],
)
def test_nonsense_is_refused(change: dict) -> None:
    with pytest.raises(ValidationError):
        Settings.model_validate({"images": {"pet": {"modality": "PT"}}} | change)


def test_an_annotation_of_an_image_that_is_not_asked_for_names_the_choices() -> None:
    with pytest.raises(ValidationError, match="expected one of the images: ct, pet"):
        Settings.model_validate(
            {"images": {"pet": {"modality": "PT"}, "ct": {"modality": "CT"}}, "annotation": {"image": "mr"}}
        )
