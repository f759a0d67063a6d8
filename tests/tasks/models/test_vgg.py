"""VGG of every depth: torchvision's layers in blocks, whose weights fit by name."""

from __future__ import annotations

import pytest
import torch
from torchvision.models import get_model

from tasks.models.vgg import BLOCKS, LAST_MAPS, Settings, architecture

DEPTHS = [(layers, batch_norm) for layers in (11, 13, 16, 19) for batch_norm in (False, True)]


def theirs(layers: int, batch_norm: bool) -> torch.nn.Module:
    with torch.device("meta"):
        network: torch.nn.Module = get_model(f"vgg{layers}{'_bn' if batch_norm else ''}")
    return network


@pytest.mark.parametrize(("layers", "batch_norm"), DEPTHS)
def test_every_tensor_of_the_features_has_its_name_and_shape_in_torchvision(layers: int, batch_norm: bool) -> None:
    settings = Settings.model_validate({"layers": layers, "batch_norm": batch_norm})
    ours = architecture(settings, classes=2).state_dict()
    mine = {
        settings.original.tensor(name): tuple(value.shape)
        for name, value in ours.items()
        if name.startswith("features.")
    }
    state = theirs(layers, batch_norm).state_dict()
    assert mine == {name: tuple(value.shape) for name, value in state.items() if name.startswith("features.")}


@pytest.mark.parametrize(("layers", "batch_norm"), DEPTHS)
def test_there_are_as_many_layers_as_the_name_says(layers: int, batch_norm: bool) -> None:
    network = architecture(Settings.model_validate({"layers": layers, "batch_norm": batch_norm}), classes=2)
    weighing = [one for one in network.modules() if isinstance(one, (torch.nn.Conv2d, torch.nn.Linear))]
    assert len(weighing) == layers
    kinds = [type(one) for block in reversed(BLOCKS) for one in network.get_submodule(block)]
    original = [type(one) for one in theirs(layers, batch_norm).get_submodule("features").children()]
    assert [*kinds, torch.nn.MaxPool2d] == original


def test_the_last_maps_are_those_before_the_last_pooling() -> None:
    network = architecture(Settings(hidden=8), classes=2)
    shapes = []
    network.get_submodule(LAST_MAPS).register_forward_hook(lambda *call: shapes.append(tuple(call[2].shape)))
    logits = network(torch.empty(2, 3, 96, 96, device="meta"))
    assert shapes == [(2, 512, 6, 6)]
    assert logits.shape == (2, 2)


def test_the_classifier_is_the_article_s() -> None:
    classifier = architecture(Settings(), classes=4).get_submodule("classifier")
    assert [tuple(one.weight.shape) for one in classifier.children() if hasattr(one, "weight")] == [
        (4096, 512 * 7 * 7),
        (4096, 4096),
        (4, 4096),
    ]
