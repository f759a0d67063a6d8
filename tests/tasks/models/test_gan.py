"""Generator and discriminator: any size in 2-D and 3-D, told the class, the same from the same seed."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch

from tasks.discover import MODELS, part_names
from tasks.models.gan import Settings, build_discriminator, build_generator, halvings

SMALL = Settings(latent=5, embedding=3, width=8, widest=16)


def pair(shape: tuple[int, ...], *, channels: int = 1, seed: int = 0) -> tuple[Any, Any]:
    form: dict[str, Any] = {"shape": shape, "channels": channels, "classes": 3, "seed": seed}
    return build_generator(SMALL, **form), build_discriminator(SMALL, **form)


def made(generator: Any, labels: list[int]) -> torch.Tensor:
    latent = torch.from_numpy(np.random.default_rng(1).normal(size=(len(labels), 5)).astype(np.float32))
    with torch.no_grad():
        return generator(latent, torch.tensor(labels))


@pytest.mark.parametrize(
    ("shape", "steps"),
    [
        ((8, 8), [(2, 2)]),
        ((28, 28), [(2, 2), (2, 2)]),
        ((32, 32), [(2, 2), (2, 2), (2, 2)]),
        ((4, 16, 16), [(1, 2, 2), (1, 2, 2)]),
        ((8, 32, 32), [(1, 2, 2), (1, 2, 2), (2, 2, 2)]),
    ],
)
def test_the_longest_axes_are_halved_first(shape: tuple[int, ...], steps: list[tuple[int, ...]]) -> None:
    assert halvings(shape) == steps


@pytest.mark.parametrize("shape", [(8, 8), (28, 28), (30, 17), (9, 31), (1, 16, 16), (5, 12, 20)])
@pytest.mark.parametrize("channels", [1, 3])
def test_images_have_the_shape_asked_for_and_each_gets_one_verdict(shape: tuple[int, ...], channels: int) -> None:
    generator, discriminator = pair(shape, channels=channels)
    images = made(generator, [0, 1, 2, 0])
    assert images.shape == (4, channels, *shape)
    assert images.abs().max() <= 1
    assert discriminator(images, torch.tensor([0, 1, 2, 0])).shape == (4,)


def test_an_image_does_not_depend_on_those_made_beside_it() -> None:
    generator, discriminator = pair((16, 16))
    together = made(generator, [0, 1, 2, 1])
    assert torch.allclose(made(generator, [0, 1]), together[:2], atol=1e-6)
    verdicts = discriminator(together, torch.tensor([0, 1, 2, 1]))
    assert torch.allclose(discriminator(together[:1], torch.tensor([0])), verdicts[:1], atol=1e-5)


def test_the_class_changes_the_image_and_the_verdict() -> None:
    generator, discriminator = pair((16, 16))
    images = made(generator, [0, 0])
    assert not torch.allclose(images, made(generator, [1, 1]), atol=1e-3)
    one, other = (discriminator(images, torch.tensor([label, label])) for label in (0, 1))
    assert not torch.allclose(one, other, atol=1e-4)


def test_the_start_depends_on_the_seed_alone_and_leaves_torchs_random_numbers() -> None:
    before = torch.random.get_rng_state()
    states = [[value.clone() for value in pair((16, 16), seed=seed)[0].state_dict().values()] for seed in (3, 3, 4)]
    assert torch.equal(torch.random.get_rng_state(), before)
    assert all(torch.equal(a, b) for a, b in zip(states[0], states[1], strict=True))
    assert not all(torch.equal(a, b) for a, b in zip(states[0], states[2], strict=True))


@pytest.mark.parametrize("shape", [(7, 7), (16,), (2, 2, 16, 16), (0, 16)])
def test_other_shapes_are_refused(shape: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match="expected patches"):
        halvings(shape)


def test_it_is_taken_for_no_classifier() -> None:
    assert "gan" in part_names(MODELS)
    assert "gan" not in part_names(MODELS, with_function="build")
    assert "gan" not in part_names(MODELS, with_function="build_network")
