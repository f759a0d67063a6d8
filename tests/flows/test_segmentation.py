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
CASES = 7
DAMAGED, UNANNOTATED, WRONG_VALUE, EMPTY = "case_03", "case_04", "case_05", "case_06"
WHOLE = 3
"""Cases that are annotated and in order."""


@pytest.fixture(scope="module")
def inbox(workplace: Workplace) -> Path:
    """Seven cases: of one the image is cut short; of one there is no label map, of others it is wrong, and empty."""
    folder = workplace.new("labelled")
    write_labelled_cohort(folder, cases=CASES + 1)
    (folder / "images" / "case_07.nii.gz").unlink()
    (folder / "labels" / f"{EMPTY}.nii.gz").write_bytes(b"")
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
    assert (summary["series_seen"], summary["set_aside"], summary["quarantined"]) == (14, 1, 6)
    assert (summary["received"], summary["analysed"]) == (CASES, WHOLE + 1)
    reasons = sorted(f"{one['stage']}: {one['reason']}" for one in summary["excluded"])
    assert reasons[0] == "annotate: the label map cannot be used: it is empty"
    assert "the label map has the values 3, 6; expected 0, 1, 2" in reasons[1]
    assert reasons[2].startswith("ingest: the image is cut short or damaged")
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
    # Three annotated cases were lost: over what was received they have a Dice of 0.
    assert metrics["dice"]["n"] == WHOLE + 3
    assert metrics["dice"]["analysed"]["n"] == WHOLE
    assert metrics["dice"]["value"] == pytest.approx(metrics["dice"]["analysed"]["value"] * WHOLE / (WHOLE + 3))
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


def test_new_volumes_are_segmented_at_night_and_scored_where_asked(workplace: Workplace, learned: Ended) -> None:
    assert learned.store is not None
    inbox, out = workplace.new("night"), workplace.new("night.json")
    write_labelled_cohort(inbox, cases=3, seed=7)
    (inbox / "labels" / "case_02.nii.gz").unlink()
    command = ("screen", "--data", inbox, "--store", learned.store, "--workers", "1", "--json", out)
    ended = workplace.do(*command)
    assert ended.code == 0, ended.said
    night = json.loads(out.read_text())
    assert (night["study"], night["received"], night["analysed"], night["set_aside"]) == ("organ-night", 3, 3, 2)
    assert night["metrics"] == {}
    assert set(night["stages"]) == {"ingest", "normalize", "detect", "draw", "report"}
    rows = json.loads(Path(night["report"]).with_name("findings.json").read_text())
    refit = folder_of(learned, "train", "refit").name
    assert [(row["structure"], row["model"]) for row in rows] == [("front", refit), ("back", refit)] * 3
    assert all(row["volume_ml"] > 0 and len(row["centroid_mm"]) == 3 for row in rows)
    page = Path(night["report"]).read_text()
    assert "by the model in production" in page

    ended = workplace.do(*command, "--score")
    assert ended.code == 0, ended.said
    scored = json.loads(out.read_text())
    assert scored["stages"]["detect"]["computed"] == 0
    assert (scored["analysed"], scored["metrics"]["dice"]["n"], scored["baselines"]) == (3, 2, {})
    with_dice = json.loads(Path(scored["report"]).with_name("findings.json").read_text())
    assert [row | {"dice": None} for row in with_dice] == rows
    assert sum(row["dice"] is None for row in with_dice) == 2
