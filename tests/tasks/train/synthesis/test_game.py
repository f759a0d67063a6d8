"""The game on toys: modes are covered, classes respected, an interrupted training ends as an uninterrupted one."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from tasks.train.synthesis.draws import disturbed, draw, mirrored
from tasks.train.synthesis.game import Moment, play
from tasks.train.synthesis.settings import Disturbance, SynthesisSettings

STILL = Disturbance(shift=0, brightness=0)
CENTRES = np.array([[-2.0, 0.0], [2.0, 0.0], [0.0, 2.0]], np.float32)


class Toy(nn.Module):
    """A small network on points, told the class."""

    def __init__(self, inputs: int, outputs: int, seed: int) -> None:
        super().__init__()
        with torch.random.fork_rng():
            torch.manual_seed(seed)
            self.embed = nn.Embedding(3, 4)
            self.layers = nn.Sequential(
                *(nn.Linear(inputs + 4, 48), nn.LeakyReLU(0.2), nn.Linear(48, 48), nn.LeakyReLU(0.2)),
                nn.Linear(48, outputs),
            )
        self.outputs = outputs

    def forward(self, values: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
        found: torch.Tensor = self.layers(torch.cat([values, self.embed(labels)], dim=1))
        return found[:, 0] if self.outputs == 1 else found


def points(labels: Any) -> tuple[torch.Tensor, torch.Tensor]:
    """Points around the centre of their class."""
    noise = np.random.default_rng(0).normal(0, 0.2, size=(len(labels), 2)).astype(np.float32)
    return torch.from_numpy(CENTRES[labels] + noise), torch.from_numpy(np.asarray(labels))


def settings(**options: Any) -> SynthesisSettings:
    usual: dict[str, Any] = {"batch": 48, "learning_rate": 4e-3, "disturbance": STILL, "average": 0.98}
    return SynthesisSettings(**{**usual, **options})


def trained(data: tuple[torch.Tensor, torch.Tensor], how: SynthesisSettings, **options: Any) -> Any:
    torch.set_num_threads(1)
    average, history = play(Toy(3, 2, 1), Toy(2, 1, 2), *data, how, latent=3, seed=5, **options)
    return average, history


def made(average: nn.Module, labels: list[int]) -> Any:
    latent = torch.randn(len(labels), 3, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        return average(latent, torch.tensor(labels)).numpy()


@pytest.mark.parametrize(
    ("options", "least"),
    [
        ({"method": "original", "steps": 500, "learning_rate": 2e-3}, 0.05),  # known for uneven shares
        ({"method": "r1", "steps": 300, "learning_rate": 2e-3}, 0.15),
        ({"method": "wgan_gp", "steps": 250, "discriminator_steps": 3, "penalty_weight": 0.1}, 0.15),
    ],
    ids=["original", "r1", "wgan_gp"],
)
def test_all_modes_of_a_distribution_are_covered(options: dict[str, Any], least: float) -> None:
    data = points([number % 3 for number in range(300)])[0], torch.zeros(300, dtype=torch.int64)
    average, _ = trained(data, settings(**options))
    found = made(average, [0] * 300)
    distance = np.linalg.norm(found[:, None] - CENTRES[None], axis=2)
    shares = np.bincount(distance.argmin(axis=1)[distance.min(axis=1) < 1.0], minlength=3) / 300
    assert shares.min() > least, shares
    assert shares.sum() > 0.7, shares


@pytest.mark.parametrize("balanced", [True, False])
def test_the_class_decides_where_a_point_lies(balanced: bool) -> None:
    labels = [0] * 100 + [1] * 100 + [2] * (12 if balanced else 100)
    average, _ = trained(points(labels), settings(method="r1", steps=250, learning_rate=2e-3, balanced=balanced))
    for label in range(3):
        assert np.abs(made(average, [label] * 100).mean(axis=0) - CENTRES[label]).max() < 0.6


class KilledError(Exception):
    """Stands for a process that dies."""


@pytest.mark.parametrize("method", ["original", "r1", "wgan_gp"])
def test_a_killed_training_ends_with_the_same_weights(tmp_path: Path, method: str) -> None:
    data, how = points([0, 1, 2] * 20), settings(method=method, steps=30, record_every=5, batch=8)
    once, history = trained(data, how)

    def kill(moment: Moment) -> None:
        if moment.step == 20:
            raise KilledError

    file: dict[str, Any] = {"checkpoint": tmp_path / "game.pt", "checkpoint_every_s": 0.0}
    with pytest.raises(KilledError):
        trained(data, how, on_moment=kill, **file)
    seen: list[Moment] = []
    again, resumed = trained(data, how, on_moment=seen.append, **file)
    assert resumed == tuple(seen) == history
    assert all(torch.equal(a, b) for a, b in zip(once.state_dict().values(), again.state_dict().values(), strict=True))


def test_a_checkpoint_of_another_training_is_not_gone_on_with(tmp_path: Path) -> None:
    data, how = points([0, 1, 2] * 20), settings(steps=10, batch=8)
    trained(data, how, checkpoint=tmp_path / "game.pt")
    other = data[0] + 0.5, data[1]
    fresh, _ = trained(other, how)
    after, _ = trained(other, how, checkpoint=tmp_path / "game.pt")
    assert all(torch.equal(a, b) for a, b in zip(fresh.state_dict().values(), after.state_dict().values(), strict=True))


def test_torchs_own_random_numbers_are_neither_used_nor_moved() -> None:
    before = torch.random.get_rng_state()
    trained(points([0, 1, 2] * 5), settings(steps=3, batch=8))
    assert torch.equal(torch.random.get_rng_state(), before)


def test_the_curves_are_means_over_all_steps() -> None:
    _, history = trained(points([0, 1, 2] * 5), settings(steps=12, batch=8, record_every=5, method="r1"))
    assert [one.step for one in history] == [5, 10, 12]
    assert all(one.penalty > 0 for one in history)
    _, history = trained(points([0, 1, 2] * 5), settings(steps=4, batch=8, method="original"))
    assert history[-1].penalty == 0


def test_a_diverging_training_is_stopped_with_advice() -> None:
    data = points([0, 1, 2] * 5)
    with pytest.raises(FloatingPointError, match="lower its learning_rate"):
        trained((data[0] * float("inf"), data[1]), settings(steps=5, batch=8))


def test_rare_classes_are_drawn_as_often_as_others() -> None:
    rows = (np.arange(5), np.arange(5, 500))
    rare = [
        int((draw(rows, settings(batch=100, balanced=kind), 3, place=(0, step, 0), device="cpu").rows < 5).sum())
        for kind in (True, False)
        for step in range(10)
    ]
    assert 40 < np.mean(rare[:10]) < 60
    assert np.mean(rare[10:]) < 5


def test_a_disturbance_moves_by_whole_pixels_and_fills_from_the_edge() -> None:
    ramp = torch.arange(8.0).expand(200, 1, 8, 8)
    found = disturbed(ramp, settings(disturbance={"shift": 0.25, "brightness": 0}), np.random.default_rng(0))
    firsts = set(found[:, 0, 0, 0].tolist())
    assert firsts == {0.0, 1.0, 2.0}  # moved by -2 … 2; what comes from outside repeats the edge
    assert torch.equal(found.round(), found)
    assert found.min() == 0
    assert found.max() == 7


def test_a_disturbance_lets_gradients_through() -> None:
    image = torch.zeros(1, 1, 8, 8, requires_grad=True)
    disturbed(image, settings(disturbance=Disturbance()), np.random.default_rng(0)).sum().backward()
    assert image.grad is not None
    assert image.grad.sum() == 64


def test_only_those_named_are_mirrored() -> None:
    images = torch.arange(4.0).view(1, 1, 1, 4).expand(2, 1, 3, 4)
    found = mirrored(images, torch.tensor([True, False]))
    assert found[0, 0, 0].tolist() == [3, 2, 1, 0]
    assert found[1, 0, 0].tolist() == [0, 1, 2, 3]
