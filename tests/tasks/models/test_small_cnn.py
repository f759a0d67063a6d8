"""The network from its parts: each part is where the settings put it, and does what it should."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from pydantic import ValidationError

from tasks.models.small_cnn import SMALLEST_PX, Settings, build_network


def network(classes: int = 2, **options: Any) -> torch.nn.Module:
    built: torch.nn.Module = build_network(Settings(**options), classes=classes, seed=0).network
    return built


def count(kind: type[torch.nn.Module], **options: Any) -> int:
    return sum(isinstance(layer, kind) for layer in network(**options).modules())


def test_the_defaults_have_294450_numbers() -> None:
    # Convolutions: 9 × maps before × units, and a bias and two numbers of the normalization for each unit.
    pairs = [(1, 16), (16, 16), (16, 32), (32, 32), (32, 64), (64, 64), (64, 128), (128, 128)]
    expected = sum(9 * before * units + 3 * units for before, units in pairs) + 128 * 2 + 2
    assert sum(one.numel() for one in network().parameters()) == expected == 294_450


@pytest.mark.parametrize(
    ("options", "kind", "found"),
    [
        ({}, torch.nn.Conv2d, 8),
        ({"depth": 1}, torch.nn.Conv2d, 4),
        ({}, torch.nn.BatchNorm2d, 8),
        ({"normalization": "none"}, torch.nn.BatchNorm2d, 0),
        ({}, torch.nn.ReLU, 8),
        ({"activation": "tanh"}, torch.nn.Tanh, 8),
        ({"activation": "sigmoid", "hidden": (10,)}, torch.nn.Sigmoid, 9),
        ({}, torch.nn.MaxPool2d, 3),
        ({"pooling": "average"}, torch.nn.AvgPool2d, 3),
        ({"hidden": (10, 5)}, torch.nn.Linear, 3),
    ],
)
def test_each_part_is_there_as_often_as_the_settings_say(
    options: dict[str, Any], kind: type[torch.nn.Module], found: int
) -> None:
    assert count(kind, **options) == found


def test_every_convolution_adds_a_bias() -> None:
    convolutions = [layer for layer in network().modules() if isinstance(layer, torch.nn.Conv2d)]
    assert all(layer.bias is not None for layer in convolutions)


@pytest.mark.parametrize("activation", ["relu", "tanh", "sigmoid"])
def test_with_every_activation_a_bright_picture_is_told_from_a_dark_one(activation: str) -> None:
    torch.manual_seed(0)
    learning = network(activation=activation, widths=(4, 8), depth=1, dropout=0)
    answers = torch.arange(16) % 2
    shown = torch.randn(16, 1, 8, 8, generator=torch.Generator().manual_seed(1)) + 2.0 * answers.view(-1, 1, 1, 1)
    optimizer = torch.optim.Adam(learning.parameters(), lr=0.02)
    for _ in range(60):
        optimizer.zero_grad()
        torch.nn.functional.cross_entropy(learning.train()(shown), answers).backward()
        optimizer.step()
    assert (learning.eval()(shown).argmax(dim=1) == answers).all()


def test_without_normalization_the_signal_neither_fades_nor_grows() -> None:
    scales: list[float] = []
    still = network(normalization="none")
    for layer in still.modules():
        if isinstance(layer, torch.nn.ReLU):
            layer.register_forward_hook(lambda *call: scales.append(float(call[2].square().mean().sqrt())))
    with torch.inference_mode():
        still.eval()(torch.randn(4, 1, 32, 32, generator=torch.Generator().manual_seed(1)))
    assert len(scales) == 8
    assert all(0.2 < scale < 5 for scale in scales), scales


def test_five_blocks_leave_one_pixel_of_the_smallest_picture() -> None:
    deepest = network(widths=(2, 2, 2, 2, 2))
    assert deepest.get_submodule("features")(torch.rand(2, 1, SMALLEST_PX, SMALLEST_PX)).shape == (2, 2, 1, 1)


@pytest.mark.parametrize(
    "wrong", [{"widths": ()}, {"widths": (2,) * 6}, {"widths": (0,)}, {"activation": "gelu"}, {"weights": "a.pth"}]
)
def test_settings_that_build_no_network_are_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValidationError, match=next(iter(wrong))):
        Settings(**wrong)
