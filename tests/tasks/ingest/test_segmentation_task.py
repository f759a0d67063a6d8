"""A label map that cannot be used costs its own case, with a sentence, and nothing of the others."""

from __future__ import annotations

import gzip
from pathlib import Path
from typing import cast

import pytest
import SimpleITK as sitk

from storage.artifacts import ArtifactStore
from tasks.ingest.segmentation_settings import SegmentationSettings
from tasks.ingest.segmentation_task import (
    annotate_volume,
    ingest_volume,
    plan_annotate,
    plan_ingest,
    receive,
    structure_volumes_ml,
)
from tasks.phantom.labelled import STRUCTURES, write_labelled_cohort
from tasks.task import Outcome, hand_over

KEY = b"sixteen bytes, or more of them"
SETTINGS = SegmentationSettings.model_validate({"structures": STRUCTURES})


def annotated(folder: Path, store: ArtifactStore) -> dict[str, Outcome]:
    """How each label map's reading ended, by the name of the image's file."""
    received = receive.fn(str(folder), SETTINGS, KEY)
    outcomes = {}
    for case in received.cases:
        found = received.files[case.id]
        ingest = plan_ingest(case, found, SETTINGS, KEY)
        ingest_volume.fn(*hand_over(ingest, store))
        work = plan_annotate(case.with_key("ingest", ingest.key), found, SETTINGS)
        outcomes[found.image.path.name] = cast(Outcome, annotate_volume.fn(*hand_over(work, store)).result())
    return outcomes


@pytest.mark.parametrize(
    ("damage", "says"),
    [
        (lambda whole: whole[: len(whole) // 2], "the label map is cut short or damaged"),
        (lambda _: b"no image at all", "the label map is no image that can be read"),
        (lambda whole: gzip.compress(gzip.decompress(whole)[:-1000]), "the label map is cut short or damaged"),
        (lambda _: b"", "the label map cannot be used: it is empty"),
    ],
    ids=["gzip cut", "no gzip", "voxels missing", "empty"],
)
def test_a_damaged_label_map_excludes_its_case_alone(damage: object, says: str, tmp_path: Path) -> None:
    folder, store = tmp_path / "inbox", ArtifactStore(tmp_path / "store")
    write_labelled_cohort(folder, cases=2)
    bad = folder / "labels" / "case_01.nii.gz"
    bad.write_bytes(damage(bad.read_bytes()))  # type: ignore[operator]
    outcomes = annotated(folder, store)
    verdict = outcomes["case_01.nii.gz"].verdict
    assert verdict is not None
    assert verdict.startswith(says)
    good = outcomes["case_00.nii.gz"]
    assert good.verdict is None
    volumes = structure_volumes_ml(store.open("annotate", good.key))
    assert volumes is not None
    assert volumes["front"] > 0


def test_a_label_map_that_is_readable_again_is_read_again(tmp_path: Path) -> None:
    folder, store = tmp_path / "inbox", ArtifactStore(tmp_path / "store")
    write_labelled_cohort(folder, cases=1)
    label_map = folder / "labels" / "case_00.nii.gz"
    whole = sitk.ReadImage(str(label_map))
    label_map.write_bytes(b"")
    assert annotated(folder, store)["case_00.nii.gz"].verdict
    sitk.WriteImage(whole, str(label_map))
    assert annotated(folder, store)["case_00.nii.gz"].verdict is None
