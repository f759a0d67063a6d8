"""The U-Net: its arithmetic is MONAI's DynUNet's, its start its own, and thick slices are not mixed too early."""

from __future__ import annotations

import pytest
import torch
from monai.networks.nets import DynUNet
from torch import nn

from tasks.deep.instance_norm import InstanceNorm
from tasks.deep.kernel_plan import KernelPlan
from tasks.models.unet import Settings, architecture, build_segmenter, planned

ANISOTROPIC = planned(Settings(width=4, levels=3), spacing_mm=(4, 1, 1), shape=(4, 16, 16))
CUBES = planned(Settings(width=4, levels=3), spacing_mm=(1, 1, 1), shape=(16, 16, 16))


def built(settings: Settings, *, seed: int = 0, classes: int = 3, channels: int = 2) -> nn.Module:
    return build_segmenter(settings, classes=classes, channels=channels, seed=seed).network.eval()


@pytest.mark.parametrize("shape", [(16, 16, 16), (8, 16, 24)])
def test_logits_have_a_channel_per_class_on_the_grid_of_the_input(shape: tuple[int, ...]) -> None:
    assert built(CUBES)(torch.zeros(2, 2, *shape)).shape == (2, 3, *shape)


def test_pictures_are_segmented_by_the_same_file() -> None:
    settings = planned(Settings(width=4, levels=3), spacing_mm=(1, 1), shape=(16, 16))
    assert built(settings)(torch.zeros(1, 2, 16, 20)).shape == (1, 3, 16, 20)


@pytest.mark.parametrize("residual", [True, False])
def test_the_arithmetic_is_that_of_dynunet(residual: bool) -> None:
    """Ours puts the shortcut before what comes from below, DynUNet behind: its next kernels are turned about."""
    ours = built(CUBES.model_copy(update={"residual": residual}))
    plan = CUBES.plan
    assert plan is not None
    peer = DynUNet(
        3, 2, 3, plan.kernels, plan.strides, plan.strides[1:], filters=CUBES.widths, res_block=residual
    ).eval()
    level: nn.Module = ours.get_submodule("features")
    theirs = [peer.input_block, *peer.downsamples]
    for down, up in zip(theirs, list(peer.upsamples)[::-1], strict=True):
        down.load_state_dict(level[0].state_dict())
        below = level[1].submodule
        up.transp_conv.load_state_dict(below[1].state_dict())
        state = level[2].state_dict()
        first, second = state["conv1.conv.weight"].chunk(2, dim=1)
        up.conv_block.load_state_dict({**state, "conv1.conv.weight": torch.cat([second, first], dim=1)})
        level = below[0]
    peer.bottleneck.load_state_dict(level.state_dict())
    peer.output_block.load_state_dict(ours.get_submodule("classifier").state_dict())
    image = torch.randn(1, 2, 16, 16, 16, generator=torch.Generator().manual_seed(0))
    with torch.inference_mode():
        torch.testing.assert_close(ours(image), peer(image), rtol=1e-4, atol=1e-4)


def test_each_tensor_has_one_name() -> None:
    state = built(CUBES).state_dict()
    assert len({value.data_ptr() for value in state.values()}) == len(state)


def test_the_first_level_of_thick_slices_looks_at_one_slice_and_a_deeper_one_at_several() -> None:
    weights = dict(built(ANISOTROPIC).named_parameters())
    assert {tuple(v.shape[2:]) for n, v in weights.items() if n.startswith("features.0.conv1")} == {(1, 3, 3)}
    assert {tuple(v.shape[2:]) for n, v in weights.items() if n.startswith("features.2.conv1")} == {(1, 3, 3)}
    deepest = [tuple(v.shape[2:]) for v in weights.values() if v.shape[0] == 16 and v.ndim == 5]
    assert (3, 3, 3) in deepest


def test_the_seed_alone_decides_the_start() -> None:
    torch.manual_seed(1)
    before = torch.get_rng_state()
    one, same, other = (built(CUBES, seed=seed).state_dict() for seed in (3, 3, 4))
    assert torch.equal(torch.get_rng_state(), before)
    assert all(torch.equal(one[name], same[name]) for name in one)
    assert not torch.equal(one["classifier.conv.conv.weight"], other["classifier.conv.conv.weight"])


def test_a_saved_state_fits_an_architecture_of_the_same_settings() -> None:
    network = built(CUBES)
    again = architecture(Settings.model_validate_json(CUBES.model_dump_json()), classes=3, channels=2)
    again.load_state_dict(network.state_dict(), assign=True)
    image = torch.randn(1, 2, 8, 8, 8, generator=torch.Generator().manual_seed(0))
    assert torch.equal(again.eval()(image), network(image))


def test_a_given_plan_is_kept() -> None:
    plan = KernelPlan(kernels=((3, 3), (3, 3)), strides=((1, 1), (2, 2)))
    assert planned(Settings(plan=plan), spacing_mm=(1, 1), shape=(256, 256)).plan == plan


def test_maps_double_from_level_to_level_up_to_the_widest() -> None:
    assert planned(Settings(width=8, widest=20), spacing_mm=(1, 1), shape=(64, 64)).widths == (8, 16, 20, 20, 20)


@pytest.mark.parametrize(("classes", "channels"), [(1, 1), (2, 0)])
def test_what_is_no_segmentation_is_refused(classes: int, channels: int) -> None:
    with pytest.raises(ValueError, match="at least 2 classes and 1 channel"):
        architecture(CUBES, classes=classes, channels=channels)


def test_settings_without_a_plan_are_refused() -> None:
    with pytest.raises(ValueError, match="not planned"):
        build_segmenter(Settings(), classes=2, channels=1, seed=0)


@pytest.mark.parametrize("count", [1, 3])
def test_instance_normalization_is_torchs_and_keeps_channels_innermost(count: int) -> None:
    maps = torch.randn(count, 6, 8, 9, 10, generator=torch.Generator().manual_seed(0)) * 3 + 2
    maps = maps.contiguous(memory_format=torch.channels_last_3d)
    ours, peer = InstanceNorm(6), nn.InstanceNorm3d(6, affine=True)
    scale = torch.arange(1.0, 7.0)
    for layer in (ours, peer):
        layer.load_state_dict({"weight": scale, "bias": -scale})
    found = ours(maps)
    torch.testing.assert_close(found, peer(maps), rtol=1e-3, atol=1e-3)
    assert found.is_contiguous(memory_format=torch.channels_last_3d)
