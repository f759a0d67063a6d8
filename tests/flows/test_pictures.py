"""A study of pictures, from folders of files to a class for a new one."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest
from PIL import Image

from flows.predict import classify_picture, detect_lesion
from tasks.imaging.synthetic_mark import Origin, write_synthetic_png

if TYPE_CHECKING:
    from tests.flows.conftest import Ended, Workplace

pytestmark = pytest.mark.server

STUDY = """\
kind = "pictures"
name = "shapes"

[ingest]
buckets = 3

[split]
folds = 3

[normalize]
size = 64

[train]
models = ["alexnet", "logistic"]
families = ["first_order"]

[train.learning.alexnet]
input_px = 64
epochs = 12
batch = 8
learning_rate = 1e-3

[train.options.alexnet]
hidden = 64

[report]
gallery = 4
"""
CLASSES = ("lower", "upper", "whole")
PER_CLASS = 12
PICTURES = len(CLASSES) * PER_CLASS
NAME = "DOE_JANE"


def picture(label: str, number: int) -> Image.Image:
    """A disc whose lower half, upper half or whole is bright, on black, in noise; each of another size."""
    rng = np.random.default_rng([CLASSES.index(label), number])
    height, width = rng.integers(90, 130, 2)
    y, x = np.mgrid[:height, :width]
    disc = np.hypot(y - height / 2, x - width / 2) < 0.45 * min(height, width)
    bright = {"lower": y >= height / 2, "upper": y < height / 2, "whole": np.ones_like(disc)}[label]
    grey = disc * (90 + 90 * bright) + rng.normal(0, 12, disc.shape) * disc
    texture = rng.normal(0, 40, (16, 16)).repeat(9, axis=0).repeat(9, axis=1)[:height, :width]
    grey = np.clip(grey + texture * disc, 0, 255).astype(np.uint8)
    return Image.fromarray(np.repeat(grey[..., None], 3, axis=-1))


def fill(folder: Path, numbers: range) -> Path:
    """One folder per class. The names of the files would tell who the patients are."""
    for label in CLASSES:
        (folder / label).mkdir(parents=True)
        for number in numbers:
            picture(label, number).save(folder / label / f"{NAME}_{number}.png")
    return folder


@pytest.fixture(scope="module")
def inbox(workplace: Workplace) -> Path:
    """Three classes of twelve pictures."""
    return fill(workplace.new("pictures"), range(PER_CLASS))


@pytest.fixture(scope="module")
def study(workplace: Workplace) -> Path:
    """The study file."""
    return workplace.file("shapes.toml", STUDY)


@pytest.fixture(scope="module")
def learned(workplace: Workplace, study: Path, inbox: Path) -> Ended:
    """The study, from scratch."""
    return workplace.run(workplace.new("store"), inbox, study)


@pytest.fixture(scope="module")
def store(learned: Ended) -> Path:
    """Its store."""
    assert learned.code == 0, learned.said
    assert learned.store is not None
    return learned.store


def read(ended: Ended, stage: str, subject: str, name: str) -> dict[str, object]:
    [key] = [line.key for line in ended.lines if (line.stage, line.subject) == (stage, subject)]
    assert ended.store is not None
    found: dict[str, object] = json.loads((ended.store / "artifacts" / stage / key / name).read_text())
    return found


def test_every_picture_is_counted_and_classified(learned: Ended, store: Path) -> None:
    summary = learned.summary
    assert (summary["series_seen"], summary["received"], summary["analysed"]) == (PICTURES, PICTURES, PICTURES)
    for stage in ("ingest", "annotate", "normalize", "extract", "detect"):
        assert learned.stage(stage) == (PICTURES, 0, 0)
    assert learned.stage("train") == (12, 0, 0)  # three folds and the refit: two models, and both together
    assert summary["findings"] == PICTURES
    assert store == learned.store


def test_metrics_have_intervals_and_company(learned: Ended) -> None:
    metrics, baselines = learned.summary["metrics"], learned.summary["baselines"]
    assert set(metrics) == {"accuracy", "balanced_accuracy", "auc"}
    assert metrics["accuracy"]["n"] == PICTURES
    assert metrics["accuracy"]["low"] < metrics["accuracy"]["value"] <= metrics["accuracy"]["high"]
    assert set(baselines) == {"size_and_border", "first_order_logistic", "wavelet_svm", "hog_svm", "majority"}
    assert baselines["majority"]["accuracy"]["value"] <= 0.4
    assert metrics["accuracy"]["value"] > 0.6


def test_each_model_stands_beside_both_together(learned: Ended) -> None:
    evaluation = read(learned, "evaluate", "cohort", "evaluation.json")
    models = evaluation["models"]
    assert isinstance(models, dict)
    assert set(models) == {"alexnet", "logistic"}
    assert all(one["accuracy"]["n"] == PICTURES for one in models.values())
    card = read(learned, "train", "refit", "card.json")
    assert card["weights"] == {"alexnet": 0.5, "logistic": 0.5}
    page = Path(learned.summary["report"]).read_text()
    assert "one of the models, alone" in page


def test_the_model_has_a_card(workplace: Workplace, learned: Ended, store: Path) -> None:
    shown = json.loads(workplace.do("models", "show", "shapes", "--store", store).said)
    card = shown["card"]
    assert (card["cases"], card["folds"], card["received"]) == (PICTURES, 3, PICTURES)
    assert card["metrics"]["accuracy"]["value"] == learned.summary["metrics"]["accuracy"]["value"]
    assert set(shown["fitted"]["members"]) == {"alexnet", "logistic"}


def test_the_page_shows_confusion_learning_and_examples(learned: Ended) -> None:
    page = Path(learned.summary["report"]).read_text()
    for text in ("Annotated and predicted class", "Cross-entropy (nats)", "Grad-CAM", "Image level"):
        assert text in page
    assert page.count('class="example') == 4
    assert Path(learned.summary["report"]).with_name("learning.svg").is_file()


def test_the_dashboard_shows_how_training_goes(workplace: Workplace, learned: Ended) -> None:
    artifacts = workplace.ask("artifacts", {"artifacts": {"flow_run_id": {"any_": [learned.summary["run"]]}}})
    assert {"training-alexnet-fold-1", "training-alexnet-refit", "loss-alexnet-fold-2", "learning", "metrics"} <= {
        a["key"] for a in artifacts
    }


def test_an_unchanged_study_computes_nothing(workplace: Workplace, study: Path, inbox: Path, store: Path) -> None:
    again = workplace.run(store, inbox, study)
    assert again.code == 0, again.said
    assert again.computed == {}


def test_a_new_picture_touches_one_bucket(workplace: Workplace, study: Path, learned: Ended, inbox: Path) -> None:
    more = Path(shutil.copytree(inbox, workplace.new("more")))
    picture("lower", 99).save(more / "lower" / "new.png")
    ended = workplace.run(workplace.copy(learned), more, study)
    assert ended.code == 0, ended.said
    assert ended.summary["received"] == PICTURES + 1
    computed, cached, failed = ended.stage("ingest")
    assert computed + cached == PICTURES + 1
    assert 0 < computed < PICTURES
    assert failed == 0
    for stage in ("normalize", "annotate", "extract"):
        assert ended.stage(stage) == (computed, cached, 0)


def test_what_cannot_be_used_is_excluded_with_a_reason_and_stops_nothing(workplace: Workplace, study: Path) -> None:
    inbox = fill(workplace.new("mixed"), range(4))
    whole = (inbox / "lower" / f"{NAME}_0.png").read_bytes()
    (inbox / "lower" / f"{NAME}_0.png").write_bytes(whole[: len(whole) // 2])
    shutil.copy(inbox / "lower" / f"{NAME}_1.png", inbox / "upper" / "again.png")  # one picture, two classes
    shutil.copy(inbox / "lower" / f"{NAME}_2.png", inbox / "lower" / "again.png")
    (inbox / "notes.txt").write_text("no picture")
    drawn = np.asarray(picture("whole", 77).convert("L"))
    write_synthetic_png(inbox / "whole" / "made.png", drawn, Origin("model", 1, 1, "whole"))
    ended = workplace.run(workplace.new("store"), inbox, study)
    summary = ended.summary
    assert ended.code == 3, ended.said
    assert summary["series_seen"] == 16
    assert summary["set_aside"] == 2
    assert summary["quarantined"] == 4  # the damaged and the synthetic one, both copies of the one with two classes
    assert (summary["received"], summary["analysed"]) == (12, 10)
    assert {one["stage"] for one in summary["excluded"]} == {"ingest"}
    reasons = sorted(one["reason"] for one in summary["excluded"])
    assert [[word for word in ("synthetic", "truncated") if word in reason] for reason in reasons] in (
        [["synthetic"], ["truncated"]],
        [["truncated"], ["synthetic"]],
    )
    assert sorted(str(line.reason) for line in ended.lines if line.state == "excluded") == reasons
    assert NAME not in ended.said


def test_near_duplicates_stay_together(workplace: Workplace, study: Path) -> None:
    inbox = fill(workplace.new("twins"), range(6))
    for number in range(6):
        picture("lower", number).resize((100, 100)).save(inbox / "lower" / f"copy_{number}.jpg", quality=60)
    ended = workplace.run(workplace.new("store"), inbox, study)
    assert ended.code == 0, ended.said
    folds = read(ended, "split", "cohort", "folds.json")
    assert folds["duplicates"] == 6
    groups = folds["groups"]
    assert isinstance(groups, dict)
    assert len(set(groups.values())) == 18


def test_new_pictures_are_screened_and_scored(workplace: Workplace, store: Path) -> None:
    inbox = fill(workplace.new("night"), range(50, 54))
    out = workplace.new("night.json")
    ended = workplace.do("screen", "--data", inbox, "--store", store, "--workers", "1", "--json", out)
    assert ended.code == 0, ended.said
    assert json.loads(out.read_text())["metrics"] == {}
    ended = workplace.do("screen", "--data", inbox, "--store", store, "--workers", "1", "--score", "--json", out)
    assert ended.code == 0, ended.said
    summary = json.loads(out.read_text())
    assert summary["stages"]["detect"]["computed"] == 0
    assert summary["metrics"]["accuracy"]["n"] == 12
    assert summary["metrics"]["accuracy"]["value"] > 0.6


def test_one_picture_gets_a_class_probabilities_and_a_view(workplace: Workplace, store: Path, inbox: Path) -> None:
    image, view = inbox / "whole" / f"{NAME}_3.png", workplace.new("view.png")
    ended = workplace.do("predict", image, "--store", store, "--saliency", view)
    assert ended.code == 0, ended.said
    assert Image.open(view).size == (64, 64)
    found = classify_picture(image, store=store)
    assert f"{found.label} ({found.index})" in ended.said
    assert sum(found.probabilities.values()) == pytest.approx(1)
    assert tuple(found.probabilities) == CLASSES
    assert detect_lesion(np.asarray(Image.open(image)), store=store) == found.index


def test_a_file_that_is_no_picture_is_refused(workplace: Workplace, store: Path) -> None:
    ended = workplace.do("predict", workplace.file("x.jpg", "no picture"), "--store", store)
    assert ended.code == 2
    assert "the file is none of JPEG" in ended.said
