"""The network for patches, in 3-D and on slices as channels; never taken for a network of pictures."""

from __future__ import annotations

import pytest
import torch

from tasks.discover import MODELS, part_names
from tasks.models.cnn3d import Settings, architecture, build_patch_network, planned

BLOCK = planned(Settings(width=4, levels=3), spacing_mm=(4, 1, 1), shape=(8, 16, 16))
SLICES = planned(Settings(width=4, levels=3), spacing_mm=(1, 1), shape=(16, 16))


def test_a_patch_has_one_logit_per_class() -> None:
    solid = build_patch_network(BLOCK, classes=2, channels=1, seed=0).network.eval()
    flat = build_patch_network(SLICES, classes=3, channels=5, seed=0).network.eval()
    assert solid(torch.zeros(2, 1, 8, 16, 16)).shape == (2, 2)
    assert flat(torch.zeros(2, 5, 16, 16)).shape == (2, 3)


def test_thick_slices_are_not_mixed_in_the_first_level() -> None:
    weights = dict(build_patch_network(BLOCK, classes=2, channels=1, seed=0).network.named_parameters())
    assert weights["features.level1.0.weight"].shape == (4, 1, 1, 3, 3)
    assert weights["features.level3.0.weight"].shape == (16, 8, 3, 3, 3)


def test_how_bright_a_patch_is_reaches_the_classifier() -> None:
    network = build_patch_network(BLOCK, classes=2, channels=1, seed=0).network.eval()
    pattern = torch.randn(1, 1, 8, 16, 16, generator=torch.Generator().manual_seed(0))
    maps = network.get_submodule("features").requires_grad_(False)
    assert float(maps(3 * pattern).mean()) > 2 * float(maps(pattern).mean())


def test_networks_of_pictures_volumes_and_patches_are_found_apart() -> None:
    kinds = [
        set(part_names(MODELS, with_function=f"build_{kind}")) for kind in ("network", "segmenter", "patch_network")
    ]
    assert "cnn3d" in kinds[2]
    assert "unet" in kinds[1]
    assert sum(map(len, kinds)) == len(set.union(*kinds))


def test_the_seed_alone_decides_the_start() -> None:
    torch.manual_seed(1)
    before = torch.get_rng_state()
    one, same, other = (
        build_patch_network(BLOCK, classes=2, channels=1, seed=seed).network.state_dict() for seed in (3, 3, 4)
    )
    assert torch.equal(torch.get_rng_state(), before)
    assert all(torch.equal(one[name], same[name]) for name in one)
    assert not torch.equal(one["classifier.1.weight"], other["classifier.1.weight"])


def test_a_saved_state_fits_an_architecture_of_the_same_settings() -> None:
    network = build_patch_network(SLICES, classes=2, channels=3, seed=0).network.eval()
    again = architecture(Settings.model_validate_json(SLICES.model_dump_json()), classes=2, channels=3).eval()
    again.load_state_dict(network.state_dict(), assign=True)
    patch = torch.randn(1, 3, 16, 16, generator=torch.Generator().manual_seed(0))
    assert torch.equal(again(patch), network(patch))


@pytest.mark.parametrize(("classes", "channels"), [(1, 1), (2, 0)])
def test_what_is_no_classification_is_refused(classes: int, channels: int) -> None:
    with pytest.raises(ValueError, match="at least 2 classes and 1 channel"):
        architecture(BLOCK, classes=classes, channels=channels)


def test_settings_without_a_plan_are_refused() -> None:
    with pytest.raises(ValueError, match="not planned"):
        build_patch_network(Settings(), classes=2, channels=1, seed=0)
