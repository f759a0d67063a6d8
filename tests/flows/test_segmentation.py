"""A study of segmentation, from NIfTI files to label maps with their scores."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest
import SimpleITK as sitk

from storage.deep import load_saved
from storage.ome_zarr import read_volume
from storage.segmenter import SegmenterCard
from tasks.imaging.image_file import read_image_file
from tasks.phantom.labelled import write_labelled_cohort

if TYPE_CHECKING:
    from tests.flows.conftest import Ended, Workplace

pytestmark = pytest.mark.server

STUDY = """\
kind = "segmentation"
name = "organ"

[ingest.structures]
front = 1
back = 2

[split]
folds = 3

[[normalize.steps]]
name = "zscore"
inside = "all"

[train]
window = [24, 32, 24]
windows = 2

[train.options]
width = 4
levels = 2

[train.engine]
epochs = 3
batch = 2
learning_rate = 1e-2
"""
CASES = 6
DAMAGED, UNANNOTATED, WRONG_VALUE = "case_03", "case_04", "case_05"
WHOLE = 3
"""Cases that are annotated and in order."""


@pytest.fixture(scope="module")
def inbox(workplace: Workplace) -> Path:
    """Six cases: of one the image is cut short, one has no label map, one has a label that the study does not name."""
    folder = workplace.new("labelled")
    write_labelled_cohort(folder, cases=CASES + 1)
    (folder / "images" / "case_06.nii.gz").unlink()
    image = folder / "images" / f"{DAMAGED}.nii.gz"
    image.write_bytes(image.read_bytes()[:2000])
    (folder / "labels" / f"{UNANNOTATED}.nii.gz").unlink()
    label_map = folder / "labels" / f"{WRONG_VALUE}.nii.gz"
    sitk.WriteImage(sitk.ReadImage(str(label_map)) * 3, str(label_map))
    return folder


@pytest.fixture(scope="module")
def study(workplace: Workplace) -> Path:
    """The study file."""
    return workplace.file("organ.toml", STUDY)


@pytest.fixture(scope="module")
def learned(workplace: Workplace, study: Path, inbox: Path) -> Ended:
    """The study, from scratch."""
    return workplace.run(workplace.new("store"), inbox, study)


def folder_of(ended: Ended, stage: str, subject: str) -> Path:
    [key] = {line.key for line in ended.lines if (line.stage, line.subject) == (stage, subject)}
    assert ended.store is not None
    return ended.store / "artifacts" / stage / key


def test_every_file_is_accounted_for(learned: Ended) -> None:
    summary = learned.summary
    assert learned.code == 3, learned.said
    assert (summary["series_seen"], summary["set_aside"], summary["quarantined"]) == (12, 1, 4)
    assert (summary["received"], summary["analysed"]) == (CASES, WHOLE + 1)
    reasons = {one["stage"]: one["reason"] for one in summary["excluded"]}
    assert reasons["ingest"].startswith("the image is cut short or damaged")
    assert "the label map has the values 3, 6; expected 0, 1, 2" in reasons["annotate"]
    assert "case_0" not in learned.said


def test_each_case_is_segmented_on_its_own_grid(learned: Ended, inbox: Path) -> None:
    subjects = {line.subject for line in learned.lines if line.stage == "detect"}
    assert len(subjects) == WHOLE + 1
    for case in subjects:
        image = read_volume(folder_of(learned, "ingest", case) / "image.zarr")
        labels = read_volume(folder_of(learned, "detect", case) / "labels.zarr")
        assert labels.shape == image.shape
        assert np.allclose(labels.affine, image.affine)
        assert set(np.unique(labels.array)) <= {0, 1, 2}
    original = read_image_file(inbox / "images" / "case_00.nii.gz", "image")
    assert any(np.array_equal(read_volume(folder_of(learned, "ingest", case) / "image.zarr").array, original.array)
               for case in subjects)  # fmt: skip


def test_metrics_have_intervals_and_company(learned: Ended) -> None:
    metrics, baselines = learned.summary["metrics"], learned.summary["baselines"]
    names = [f"{metric}{of}" for metric in ("dice", "surface_dice") for of in ("", "_front", "_back")]
    assert set(names) <= set(metrics)
    assert set(baselines) == {"atlas", "atlas_intensity"}
    # Two annotated cases were lost: over what was received they have a Dice of 0.
    assert metrics["dice"]["n"] == WHOLE + 2
    assert metrics["dice"]["analysed"]["n"] == WHOLE
    assert metrics["dice"]["value"] == pytest.approx(metrics["dice"]["analysed"]["value"] * WHOLE / (WHOLE + 2))
    assert baselines["atlas_intensity"]["dice"]["value"] > 0.3


def test_the_page_shows_outlines_curves_and_every_case(learned: Ended) -> None:
    page = Path(learned.summary["report"]).read_text()
    for text in ("1 − Dice + cross-entropy", "Atlas and intensity", "Best", "Worst", "Surface Dice", "Each case"):
        assert text in page
    rows = json.loads(Path(learned.summary["report"]).with_name("findings.json").read_text())
    assert len(rows) == learned.summary["findings"] == 2 * (WHOLE + 1)
    assert sum(row["dice"] is None for row in rows) == 2


def test_the_networks_say_what_they_are(learned: Ended) -> None:
    state, card = load_saved(folder_of(learned, "train", "refit"), SegmenterCard)
    assert card.structures == {"front": 1, "back": 2}
    assert card.cases + card.held_out == WHOLE
    assert len(card.history) == 3
    assert state
    assert learned.stage("train") == (4, 0, 0)


def test_an_unchanged_study_computes_nothing(workplace: Workplace, study: Path, inbox: Path, learned: Ended) -> None:
    assert learned.store is not None
    again = workplace.run(learned.store, inbox, study)
    assert again.computed == {}
    assert again.summary["metrics"] == learned.summary["metrics"]


def test_screening_with_a_segmenter_is_refused_with_a_sentence(
    workplace: Workplace, inbox: Path, learned: Ended
) -> None:
    assert learned.store is not None
    ended = workplace.do("screen", "--data", inbox, "--store", learned.store, "--workers", "1")
    assert ended.code == 2
    assert "segments volumes" in ended.said
