"""Finders by name in the stage sample: the default finds what it always found; others are one word away."""

from __future__ import annotations

import hashlib

import numpy as np
import pytest
from pydantic import ValidationError

from storage.case import Case
from storage.volume import Volume
from tasks.imaging.candidate_set import CandidateSet
from tasks.imaging.finder import finders
from tasks.sample.candidates import find_candidates
from tasks.sample.settings import Settings
from tasks.sample.task import plan
from tests.tasks.sample.test_candidates import best_iou, chest, pet

SUMS = {
    "chest": (17, "50a548f62b05ddfe781c2bc0ab9e9e1fe068af97588044dca618c2034a405e8f"),
    "pet": (13, "065756e1bd025e6c14f5f2c27998e4cab9759cd9189cab9ecdb32f3d93877b78"),
}
"""Of the candidates that version 0.4 found, before there were other finders."""


def digest_of(candidates: CandidateSet) -> str:
    """SHA-256 of kinds, levels, boxes and masks: what does not hang on the last bit of a sum."""
    columns = ["kind", "threshold_or_sigma", "box_z0", "box_y0", "box_x0", "box_z1", "box_y1", "box_x1"]
    text = hashlib.sha256()
    for kind, level, *box in candidates.table[columns].itertuples(index=False):
        text.update(f"{kind} {level:.6g} {' '.join(map(str, box))}\n".encode())
    text.update(candidates.bits.tobytes())
    return text.hexdigest()


@pytest.mark.parametrize("name", SUMS)
def test_the_default_finds_exactly_what_it_found_before_there_was_a_choice(name: str) -> None:
    candidates = find_candidates(chest()[0] if name == "chest" else pet())
    assert (len(candidates), digest_of(candidates)) == SUMS[name]


def test_the_default_is_components_then_blobs() -> None:
    assert Settings().finders == ("components", "blobs")
    assert [type(one) for one in Settings().chosen()] == [finders()["components"], finders()["blobs"]]


@pytest.mark.parametrize("name", [name for name in finders() if name != "saliency"])
def test_each_finder_finds_the_nodule_inside_the_lung(name: str) -> None:
    image, nodules = chest()
    assert best_iou(find_candidates(image, Settings(finders=(name,))), nodules[0]) > 0.8


@pytest.mark.parametrize("name", ["component_tree", "contours", "dog", "hessian"])
def test_tumour_and_bladder_of_a_pet_are_found_without_any_setting(name: str) -> None:
    image = pet()
    candidates = find_candidates(image, Settings(finders=(name,)))
    assert best_iou(candidates, image.array == 6.0) > 0.8
    assert best_iou(candidates, image.array == 20.0) > 0.8


def test_the_candidates_come_in_the_order_of_the_finders() -> None:
    image = chest()[0]
    kinds = find_candidates(image, Settings(finders=("dog", "components"))).table["kind"].tolist()
    assert kinds == sorted(kinds, key=["dog", "component"].index)
    assert set(kinds) == {"dog", "component"}


def test_the_position_is_the_centroid_in_the_patient() -> None:
    axes = ((0.0, 0.6, 0.8), (0.0, 0.8, -0.6), (1.0, 0.0, 0.0))
    image = Volume(pet().array, (4.0, 4.0, 4.0), (-10.0, 20.0, 300.0), axes, "SUV")
    table = find_candidates(image).table
    centroids = table[["centroid_z", "centroid_y", "centroid_x"]].to_numpy()
    assert np.allclose(table[["x_mm", "y_mm", "z_mm"]].to_numpy(), image.to_world_mm(centroids))


def test_a_finder_has_a_block_of_its_own_and_typing_errors_are_refused() -> None:
    chosen = Settings.model_validate({"finders": ["dog"], "dog": {"max_blobs": 3}})
    assert [one.max_blobs for one in chosen.chosen()] == [3]
    with pytest.raises(ValidationError, match="max_blops"):
        Settings.model_validate({"dog": {"max_blops": 3}})
    with pytest.raises(ValidationError, match="no finder 'dogs'; choose from: blobs, component_tree"):
        Settings(finders=("dogs",))
    with pytest.raises(ValidationError, match="each finder once and at least one; got none"):
        Settings(finders=())
    with pytest.raises(ValidationError, match="got dog, dog"):
        Settings(finders=("dog", "dog"))


def test_the_key_stands_on_the_files_of_the_chosen_finders_alone() -> None:
    case = Case(id="C-1", patient="P-1", digest="ab" * 32, keys={"normalize": "n"})
    sources = {names: plan(case, Settings(finders=names)).source for names in [("dog",), ("blobs",), ("blobs", "dog")]}
    assert len(set(sources.values())) == 3
