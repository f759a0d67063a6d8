"""Harmonizing in the store: scanners come from what ingest keeps, and no held-out patient has a part in anything."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import numpy as np

from flows.preparing import Prepared
from flows.training import train_models
from storage.artifacts import ArtifactStore
from storage.case import Case
from storage.classical import load_model
from storage.ome_zarr import write_volume
from tasks.classical.harmonization import HarmonizationSettings
from tasks.classical.steps import HARMONIZE
from tasks.detect import task as detect
from tasks.detect.scanner import NOT_HARMONIZED
from tasks.detect.settings import Settings as DetectSettings
from tasks.task import Outcome, StageTask, Work
from tasks.train.settings import Settings
from tasks.train.task import plan, train_model
from tests.tasks.train.test_train_task import FOLDS, GRID, OPEN, Here, make_case, put

PLAIN = Settings(models=("logistic",), selection=())
SETTINGS = PLAIN.model_copy(update={"harmonization": HarmonizationSettings(fewest=2)})


def scanned(store: ArtifactStore, number: int, scanner: str, *, noise: int = 0) -> Case:
    """A case with an image of this scanner; its features are ``noise`` where asked."""

    def ingest(folder: Path) -> None:
        write_volume(folder / "pet.zarr", GRID.with_array(GRID.array.astype(np.float32), unit="SUV"))
        facts = {
            "header": {"manufacturer": "Acme", "model": scanner},
            "instances": [f"2.25.{n}" for n in range(4)],
            "crop_start_zyx": [0, 0, 0],
        }
        (folder / "facts.json").write_text(json.dumps({"pet": facts}))

    case = make_case(store, number, noise=noise)
    return case.with_key("ingest", put(store, "ingest", [number, scanner], ingest)).with_key("normalize", "n")


class Planned(Here):
    """Writes down what a study would train."""

    def all(self, task: StageTask, works: Sequence[Work]) -> list[Outcome]:
        self.works += works
        return [Outcome(work.stage, work.key, work.subject, cached=False, seconds=0.0) for work in works]


def trained(store: ArtifactStore, cases: list[Case], subject: str) -> str:
    """Key of one model of a study, the only one that is trained."""
    study = SimpleNamespace(name="volumes", train=SETTINGS, detect=DetectSettings(), image="pet")
    planned = Planned(store)
    train_models(cast(Any, planned), Prepared(cases), FOLDS, cast(Any, study))
    [work] = [work for work in planned.works if work.subject == subject]
    [outcome] = Here(store).all(train_model, [work])
    assert outcome.verdict is None
    return outcome.key


def learned(store: ArtifactStore, key: str) -> tuple[bytes, dict[str, bytes]]:
    """Card and harmonizer of a model."""
    folder = store.open("train", key)
    harmonizer = load_model(folder / "model.skops").named_steps[HARMONIZE]
    state = {name: np.asarray(value).tobytes() for name, value in vars(harmonizer).items() if name.endswith("_")}
    return (folder / "card.json").read_bytes(), state


def test_noise_and_another_scanner_in_the_held_out_fold_leave_its_harmonizer_and_card(tmp_path: Path) -> None:
    clean, noisy = ArtifactStore(tmp_path / "clean"), ArtifactStore(tmp_path / "noisy")
    names = ["One", "One", "One", "Two", "Two", "Two"]
    one = trained(clean, [scanned(clean, n, names[n]) for n in range(6)], "fold 2")  # holds out patients 1 and 4
    ruined = [scanned(noisy, n, "Two", noise=7) if n in (1, 4) else scanned(noisy, n, names[n]) for n in range(6)]
    other = trained(noisy, ruined, "fold 2")
    card, state = learned(clean, one)
    assert (card, state) == learned(noisy, other)
    assert {"shift_", "gain_", "centre_", "corrected_", "patients_"} <= set(state)
    told = json.loads(card)["harmonization"]
    assert [(scanner["name"], scanner["patients"]) for scanner in told["scanners"]] == [
        ("ACME ONE", 2),
        ("ACME TWO", 2),
    ]
    assert all(scanner["features"] == 3 for scanner in told["scanners"])
    seen = learned(noisy, trained(noisy, ruined, "refit"))  # which does know them
    assert seen[1]["shift_"] != state["shift_"]


def test_the_key_follows_the_scanner_where_it_counts_alone(tmp_path: Path) -> None:
    store = ArtifactStore(tmp_path)
    one, other = ([scanned(store, n, name) for n in range(2)] for name in ("One", "Two"))

    def key(cases: list[Case], settings: Settings) -> str:
        return plan(cases, settings, gate=OPEN, subject="refit", most=None, image="pet").key

    assert key(one, SETTINGS) != key(other, SETTINGS)
    assert key(one, PLAIN) == key(other, PLAIN)


def test_a_new_case_of_an_unseen_scanner_is_left_as_it_is_and_marked(tmp_path: Path) -> None:
    store = ArtifactStore(tmp_path / "store")
    names = ["One", "One", "One", "Two", "Two", "Two"]
    model = trained(store, [scanned(store, n, names[n]) for n in range(6)], "refit")
    found = {}
    for scanner in ("Two", "Three"):
        work = detect.plan(scanned(store, 3, scanner), DetectSettings(), image="pet", model=model)
        folder = tmp_path / scanner
        folder.mkdir()
        detect.find_lesions(work, store, folder)
        found[scanner] = json.loads((folder / "findings.json").read_text())
        told = json.loads((folder / "scanner.json").read_text())
        assert told == {"case": "C-3", "name": f"ACME {scanner.upper()}", "harmonized": scanner == "Two"}
    assert not any(NOT_HARMONIZED in finding["flags"] for finding in found["Two"])
    assert all(NOT_HARMONIZED in finding["flags"] for finding in found["Three"])
    assert found["Two"][0]["confidence"] != found["Three"][0]["confidence"]
