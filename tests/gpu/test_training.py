"""The training engine on CUDA: what it promises there and nowhere else."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from tasks.discover import MODELS, part
from tasks.train.engine import IntArray, Trained, train
from tasks.train.engine_settings import EngineSettings
from tasks.train.learner import Learner
from tasks.train.lesson import Batch
from tasks.train.network import fit_network
from tasks.train.network_settings import NetworkSettings
from tests.tasks.train.exercise import Corners, settings, small_network
from tests.tasks.train.team_exercise import Uneven

pytestmark = [pytest.mark.cuda, pytest.mark.slow]
GIB = 2**30


def quadrants(count: int, px: int = 32) -> tuple[Any, Any]:
    """Pictures of noise, one quadrant of which is brighter: ``(count, px, px, 3)`` uint8, and which one it is."""
    rng = np.random.default_rng(0)
    pictures, labels = rng.integers(0, 160, (count, px, px, 3), dtype=np.uint8), np.arange(count) % 4
    for picture, label in zip(pictures, labels, strict=True):
        y, x = (px // 2 * place for place in divmod(int(label), 2))
        picture[y : y + px // 2, x : x + px // 2] += 20
    return pictures, labels


def test_bfloat16_is_as_right_as_float32_on_pictures_that_were_held_out(device: str) -> None:
    pictures, labels = quadrants(480)
    right = {}
    for precision in ("float32", "bfloat16"):
        # A mirrored quadrant would be another class.
        about = {"model": "small_cnn", "input_px": 32, "held_out": 0.3, "augmentation": {"flip": False}}
        change = {"epochs": 16, "feature_share": 0.5, "learning_rate": 1e-3, "average_flips": False}
        told = NetworkSettings.model_validate({**about, **change, "precision": precision})
        fitted = fit_network(pictures, labels, np.arange(480), told, classes=4, seed=0, device=device)
        assert fitted.phases[-1]["precision"] == precision
        right[precision] = fitted.history[-1].held_out_accuracy
    assert right["float32"] > 0.9
    assert right["bfloat16"] == pytest.approx(right["float32"], abs=0.05)


def learned(
    device: str, lesson: Corners | None = None, file: Path | None = None, **change: Any
) -> tuple[dict[str, Tensor], Trained]:
    network = small_network(dropout=0.3)
    told = settings(epochs=5, ema=0.9, patience=5, deterministic=True, **change)
    place: dict[str, Any] = {"device": device, "checkpoint": file, "checkpoint_every_s": 0}
    done = train(network, lesson or Corners(), told, seed=3, **place)
    return {name: value.cpu() for name, value in network.state_dict().items()}, done


class Interrupted(Corners):
    """Ends before a step, as from Ctrl-C."""

    def __init__(self, step: int) -> None:
        super().__init__()
        self.left = step + 1

    def weight(self, rows: IntArray) -> float:
        self.left -= 1
        if self.left == 0:
            raise KeyboardInterrupt
        return super().weight(rows)


@pytest.mark.parametrize("precision", ["float32", "bfloat16", "float16"])
@pytest.mark.parametrize("step", [1, 7, 14])
def test_a_training_that_goes_on_ends_with_the_same_bits(
    device: str, precision: str, step: int, tmp_path: Path
) -> None:
    wanted, whole = learned(device, precision=precision)
    file = tmp_path / "checkpoint.pt"
    with pytest.raises(KeyboardInterrupt):
        learned(device, Interrupted(step), file, precision=precision)
    found, done = learned(device, file=file, precision=precision)
    assert all(torch.equal(found[name], wanted[name]) for name in wanted)
    assert done == whole


def losses(done: Trained) -> list[float]:
    """What is compared between machines: weights of units that matter little go where rounding sends them."""
    return [value for record in done.history for value in (record.training["loss"], record.held_out.get("loss", 0.0))]


def test_the_gpu_learns_what_the_cpu_learns(device: str) -> None:
    found = {
        where: losses(train(small_network(), Corners(), settings(), seed=0, device=where)) for where in (device, "cpu")
    }
    assert found[device] == pytest.approx(found["cpu"], rel=0.02)  # multiplications in TensorFloat-32 have 10 bits


class Seen:
    """The lesson of one step of a network on pictures."""

    def loss(self, outputs: Any, answers: Tensor) -> Tensor:
        return nn.functional.cross_entropy(outputs, answers, reduction="sum")

    def tally(self, outputs: Any, answers: Tensor) -> dict[str, Tensor]:
        return {"loss": self.loss(outputs, answers)}


def peak_gib(device: str, precision: Any, parts: int, *, rows: int = 32, px: int = 224) -> float:
    """Most memory that two steps of VGG-16 took, beyond what weights and optimizer hold afterwards."""
    vgg = part(MODELS, "vgg")
    network = vgg.architecture(vgg.Settings(layers=16, batch_norm=False), classes=4).to_empty(device=device)
    network.apply(lambda layer: getattr(layer, "reset_parameters", lambda: None)()).requires_grad_(True)
    learner = Learner(network, Seen(), EngineSettings(precision=precision), device=device)  # type: ignore[arg-type]
    generator = torch.Generator(device).manual_seed(0)
    inputs = torch.randn(rows, 3, px, px, device=device, generator=generator)
    batch = [
        Batch(*pair)
        for pair in zip(inputs.chunk(parts), (torch.arange(rows, device=device) % 4).chunk(parts), strict=True)
    ]
    learner.learn(batch, weight=rows, rate=1e-5)
    torch.cuda.reset_peak_memory_stats()
    learner.learn(batch, weight=rows, rate=1e-5)
    return (torch.cuda.max_memory_allocated() - torch.cuda.memory_allocated()) / GIB


def test_half_the_bits_and_a_quarter_of_the_rows_take_less_memory(
    device: str, record_property: Callable[[str, object], None]
) -> None:
    found = {}
    for precision, parts in (("float32", 1), ("bfloat16", 1), ("bfloat16", 4)):
        found[precision, parts] = peak_gib(device, precision, parts)
        record_property(f"VGG-16, {precision}, in {parts}", f"{found[precision, parts]:.2f} GiB")
        torch.cuda.empty_cache()
    assert found["float32", 1] > 1.2 * found["bfloat16", 1] > 1.2 * 1.2 * found["bfloat16", 4]


class Large(Corners):
    """Pictures of 512 × 512, whose maps fill a GPU."""

    def __init__(self) -> None:
        super().__init__(32, batch=32, held_out=False)
        self.shape = (1, 512, 512)


def test_a_gpu_that_is_full_learns_the_same_in_smaller_parts(device: str) -> None:
    """64 maps of 512 × 512 of 32 rows are 2 GiB, and as much behind the ReLU: too much for the 3 GiB that are left."""

    def network() -> nn.Module:
        torch.manual_seed(0)
        return nn.Sequential(nn.Conv2d(1, 64, 3), nn.ReLU(), nn.AdaptiveAvgPool2d(4), nn.Flatten(), nn.Linear(1024, 4))

    free, everything = torch.cuda.mem_get_info()
    if free < 12 * GIB:
        pytest.skip("less than 12 GiB of the GPU are free")
    told = settings(epochs=2, batch=32)
    roomy = train(network(), Large(), told, seed=0, device=device)
    torch.cuda.empty_cache()
    torch.cuda.set_per_process_memory_fraction(3 * GIB / everything)
    try:
        tight = train(network(), Large(), told, seed=0, device=device)
    finally:
        torch.cuda.set_per_process_memory_fraction(1.0)
    assert roomy.accumulate == 1
    assert tight.accumulate > 1
    assert losses(tight) == pytest.approx(losses(roomy), rel=0.02)


def test_two_gpus_learn_what_one_learns(device: str) -> None:
    if torch.cuda.device_count() < 2:
        pytest.skip(f"{torch.cuda.device_count()} CUDA device here; two learn together")
    found = {}
    for devices in (1, 2):
        network = small_network()
        told = settings(devices=devices, gradient_norm=0.1, ema=0.5)
        done = train(network, Uneven(), told, seed=0, device=device)
        assert next(network.parameters()).is_cuda
        assert done.accumulate == devices  # each has memory for two rows of the four that it gets of a step
        found[devices] = losses(done)
    assert found[2] == pytest.approx(found[1], rel=0.02)
