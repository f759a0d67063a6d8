"""Deep features of a small network whose weights the tests make themselves."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from pydantic import ValidationError
from safetensors.torch import save_file
from torchvision.models import get_model, shufflenet_v2_x0_5

from storage.case import Case
from storage.keys import digest
from tasks.extract.cube import cube
from tasks.extract.families import deep
from tasks.extract.families.deep import compute, features
from tasks.extract.region import Region
from tasks.extract.settings import Settings as ExtractSettings
from tasks.extract.task import plan

SMALL = "shufflenet_v2_x0_5"
IMAGE = np.random.default_rng(0).normal(size=(10, 20, 20)).cumsum(axis=2)


@pytest.fixture(scope="module")
def network() -> torch.nn.Module:
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return shufflenet_v2_x0_5(num_classes=4).eval()


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory, network: torch.nn.Module) -> Path:
    path = tmp_path_factory.mktemp("weights") / "small.safetensors"
    save_file(network.state_dict(), path)
    return path


def settings(**given: Any) -> deep.Settings:
    return deep.Settings.model_validate({"model": SMALL, "units": 1024, "samples": 16, "input_px": 64, **given})


def described(given: deep.Settings, image: np.ndarray = IMAGE) -> np.ndarray:
    mask = np.zeros(image.shape, bool)
    mask[2:-2, 5:-5, 5:-5] = True
    return np.array(list(compute(Region(image, mask, (1.0, 1.0, 1.0), "HU"), given).values()))


@pytest.mark.parametrize("model", ["alexnet", "vgg16"])
def test_alexnet_and_vgg_have_as_many_units_as_the_settings_expect(model: str) -> None:
    with torch.device("meta"):
        *_, last = get_model(model).modules()
    assert last.in_features == len(features(deep.Settings(model=model))) == 4096
    assert list(features(settings()))[:2] == ["unit_0000", "unit_0001"]


def test_activations_are_what_the_last_layer_is_given(weights: Path, network: torch.nn.Module) -> None:
    found = described(settings(weights=weights, window=(-5.0, 5.0)))
    # The last layer turns them into what the whole network answers to the same picture.
    mask = np.zeros(IMAGE.shape, bool)
    mask[2:-2, 5:-5, 5:-5] = True
    given = settings(weights=weights, window=(-5.0, 5.0))
    plane = np.clip((cube(Region(IMAGE, mask, (1.0, 1.0, 1.0), "HU"), given)[8] + 5) / 10, 0, 1)
    picture = torch.from_numpy(np.stack([plane] * 3)[None]).float()
    large = torch.nn.functional.interpolate(picture, size=(64, 64), mode="bilinear", antialias=True)
    mean, std = (torch.tensor(v).view(1, 3, 1, 1) for v in (given.mean, given.std))
    with torch.inference_mode():
        logits = network((large - mean) / std)[0]
        again = network.fc(torch.from_numpy(found).float())
    torch.testing.assert_close(again, logits, rtol=1e-4, atol=1e-4)


def test_a_torch_file_gives_the_same_and_other_weights_give_others(weights: Path, network: Any, tmp_path: Path) -> None:
    torch.save(network.state_dict(), tmp_path / "same.pth")
    once = described(settings(weights=weights))
    np.testing.assert_array_equal(described(settings(weights=tmp_path / "same.pth")), once)
    other = {name: value * 1.1 if value.is_floating_point() else value for name, value in network.state_dict().items()}
    save_file(other, tmp_path / "other.safetensors")
    assert not np.allclose(described(settings(weights=tmp_path / "other.safetensors")), once)


def test_orthogonal_slices_see_what_one_slice_does_not(weights: Path) -> None:
    changed = IMAGE.copy()
    changed[2] += 50.0
    window = {"weights": weights, "window": (-20.0, 20.0)}
    np.testing.assert_array_equal(described(settings(**window)), described(settings(**window), changed))
    three = settings(**window, channels="orthogonal")
    assert not np.allclose(described(three), described(three, changed))


def test_without_a_window_shift_and_scale_of_intensities_change_nothing(weights: Path) -> None:
    given = settings(weights=weights)
    np.testing.assert_allclose(described(given, 3.0 * IMAGE + 70), described(given), rtol=1e-3, atol=1e-4)


def test_a_constant_region_has_finite_features(weights: Path) -> None:
    assert np.isfinite(described(settings(weights=weights), np.full(IMAGE.shape, 7.3))).all()


def test_another_file_at_the_same_place_is_another_key(tmp_path: Path) -> None:
    path = tmp_path / "w.pth"
    path.write_bytes(b"one")
    one = ExtractSettings.model_validate({"deep": {"weights": str(path)}})
    path.write_bytes(b"other")
    other = ExtractSettings.model_validate({"deep": {"weights": str(path)}})
    assert (
        one.model_dump(mode="json")["deep"]["weights_sha256"] != other.model_dump(mode="json")["deep"]["weights_sha256"]
    )
    assert digest(one) != digest(other)
    assert ExtractSettings.model_validate(other.model_dump(mode="json")) == other
    with pytest.raises(ValidationError, match="have the SHA-256"):
        ExtractSettings.model_validate(one.model_dump(mode="json"))


def test_the_versions_of_torch_belong_to_the_key_of_those_who_choose_it() -> None:
    case = Case(id="C-1", patient="P-1", digest="d", keys={"normalize": "n", "sample": "s"})
    assert "torch" not in plan(case, ExtractSettings()).versions
    assert set(plan(case, ExtractSettings(families=("deep",))).versions) >= {"torch", "torchvision", "numpy"}


def test_without_a_file_every_value_is_undefined_and_a_wrong_one_is_an_error(tmp_path: Path, weights: Path) -> None:
    assert all(math.isnan(value) for value in described(settings()))
    with pytest.raises(ValidationError, match="there are no weights at"):
        settings(weights=tmp_path / "none.pth")
    with pytest.raises(ValueError, match="holds no weights of resnet18"):
        described(settings(weights=weights, model="resnet18"))
    with pytest.raises(ValueError, match="torchvision has no classifier 'alexnett'"):
        described(settings(weights=weights, model="alexnett"))
    with pytest.raises(ValueError, match="does not end in a linear layer"):
        described(settings(weights=weights, model="squeezenet1_1"))
    with pytest.raises(ValueError, match="has 1024 activations, not 7"):
        described(settings(weights=weights, units=7))
