"""The training engine: what each of its parts does to a small network, and how a killed training goes on."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from tasks.deep.memory import give_back_memory, is_out_of_memory
from tasks.deep.precision import autocast, precision_for
from tasks.train import loop
from tasks.train.engine import EpochRecord, IntArray, Trained, train
from tasks.train.learner import Learner, averaged, set_learning, share_of_rate
from tests.tasks.train.exercise import TO_BE_KILLED, Corners, settings, small_network

CHECKOUT = Path(__file__).parents[3]
Weights = dict[str, Tensor]


@pytest.fixture(autouse=True)
def one_thread() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def learned(
    lesson: Corners | None = None,
    network: nn.Module | None = None,
    *,
    seed: int = 0,
    file: Path | None = None,
    **change: Any,
) -> tuple[Weights, Trained]:
    network = network or small_network()
    done = train(network, lesson or Corners(), settings(**change), seed=seed, checkpoint=file, checkpoint_every_s=0)
    return dict(network.state_dict()), done


def same(one: Weights, other: Weights) -> bool:
    return all(torch.equal(one[name], other[name]) for name in one)


def near(one: Weights, other: Weights, tolerance: float = 1e-5) -> bool:
    return all(torch.allclose(one[name], other[name], atol=tolerance) for name in one)


class TestLearning:
    def test_the_corners_are_learned_and_the_records_say_so(self) -> None:
        told: list[EpochRecord] = []
        change = settings(epochs=8, learning_rate=0.05)
        done = train(small_network(), Corners(), change, seed=0, first_epoch=3, on_epoch=told.append)
        assert tuple(told) == done.history
        assert [record.epoch for record in told] == list(range(4, 12))
        assert told[-1].training["loss"] < 0.2 < 1 < told[0].training["loss"]
        assert told[-1].training["accuracy"] == 1
        assert told[-1].held_out["loss"] < 0.2
        assert (done.best, done.precision, done.accumulate, done.resumed) == (None, "float32", 1, 0)

    @pytest.mark.parametrize("precision", ["float32", "bfloat16"])
    def test_the_same_seed_gives_the_same_bits_and_another_seed_others(self, precision: Any) -> None:
        one, other, another = (
            learned(network=small_network(dropout=0.5), seed=seed, precision=precision)[0] for seed in (5, 5, 6)
        )
        assert same(one, other)
        assert not near(one, another)

    def test_torch_is_left_as_it_was(self) -> None:
        before, workspace = torch.random.get_rng_state(), os.environ.get("CUBLAS_WORKSPACE_CONFIG")
        learned(deterministic=True)
        assert torch.equal(torch.random.get_rng_state(), before)
        assert not torch.are_deterministic_algorithms_enabled()
        assert os.environ.get("CUBLAS_WORKSPACE_CONFIG") == workspace

    def test_deterministic_algorithms_are_asked_for_while_it_learns(self, monkeypatch: pytest.MonkeyPatch) -> None:
        seen: list[tuple[bool, str | None]] = []

        class Asking(Corners):
            def loss(self, outputs: Any, answers: Tensor) -> Tensor:
                seen.append((torch.are_deterministic_algorithms_enabled(), os.environ.get("CUBLAS_WORKSPACE_CONFIG")))
                return super().loss(outputs, answers)

        learned(Asking(), epochs=1, deterministic=True)
        monkeypatch.setenv("CUBLAS_WORKSPACE_CONFIG", ":16:8")  # a site's own choice stays
        learned(Asking(), epochs=1, deterministic=True)
        learned(Asking(), epochs=1)
        assert set(seen) == {(True, ":4096:8"), (True, ":16:8"), (False, ":16:8")}
        assert os.environ["CUBLAS_WORKSPACE_CONFIG"] == ":16:8"

    def test_what_is_frozen_stays_and_its_normalization_does_not_count_on(self) -> None:
        network = nn.Sequential(nn.Conv2d(1, 4, 3), nn.BatchNorm2d(4), nn.Flatten(), nn.Linear(64, 4))
        network[0].requires_grad_(False)
        network[1].requires_grad_(False)
        before = {name: value.clone() for name, value in network.state_dict().items()}
        after, _ = learned(network=network)
        changed = {name for name in before if not torch.equal(before[name], after[name])}
        assert changed == {"3.weight", "3.bias"}
        set_learning(network)
        assert network[3].training
        assert not network[1].training

    def test_a_network_that_is_all_frozen_is_refused(self) -> None:
        with pytest.raises(ValueError, match="every parameter of the network is frozen"):
            learned(network=small_network().requires_grad_(False))

    def test_a_learning_rate_that_explodes_is_named(self) -> None:
        with pytest.raises(FloatingPointError, match=r"diverged in epoch \d; lower its learning rate, now 1e\+30"):
            learned(learning_rate=1e30)


class TestSchedule:
    def test_the_rate_rises_in_a_line_and_falls_to_nothing(self) -> None:
        assert [round(share_of_rate(done, 0.2), 6) for done in (0.1, 0.2, 0.6, 1.0)] == [0.5, 1.0, 0.5, 0.0]
        assert share_of_rate(0.0, 0.0) == 1.0

    def test_it_goes_by_steps_over_all_epochs(self) -> None:
        _, done = learned(epochs=2, warm_up=0.5, learning_rate=0.1)
        assert [record.learning_rate for record in done.history] == pytest.approx([0.1, 0.0])
        _, done = learned(epochs=4, warm_up=0, learning_rate=0.1)
        half = 0.05 * np.sqrt(0.5)  # cos 45°
        assert [record.learning_rate for record in done.history] == pytest.approx([0.05 + half, 0.05, 0.05 - half, 0.0])


class TestParts:
    @pytest.mark.parametrize("parts", [2, 3, 8])
    def test_a_step_in_parts_gives_the_same_as_in_one(self, parts: int) -> None:
        whole, _ = learned()
        lesson = Corners()
        found, _ = learned(lesson, accumulate=parts)
        assert near(whole, found)
        assert not near(whole, dict(small_network().state_dict()), 1e-2)
        assert max(lesson.batches) == -(-8 // parts)

    def test_rows_may_weigh_more_than_others(self) -> None:
        class Weighted(Corners):
            scale = torch.tensor([1.0, 5.0, 0.5, 2.0])

            def weight(self, rows: IntArray) -> float:
                return float(self.scale[self.answers(rows)].sum())

            def loss(self, outputs: Any, answers: Tensor) -> Tensor:
                return nn.functional.cross_entropy(outputs, answers, weight=self.scale, reduction="sum")

        one, two = (learned(Weighted(), accumulate=parts)[0] for parts in (1, 2))
        assert near(one, two)
        assert not near(one, learned()[0])

    def test_longer_gradients_are_cut_to_the_norm(self) -> None:
        lesson, network = Corners(), small_network()
        learner = Learner(network, lesson, settings(gradient_norm=0.01), device="cpu")
        rows = lesson.steps(0)[0]
        learner.learn([lesson.batch(rows, 0)], weight=8, rate=0.0)
        norm = torch.linalg.vector_norm(torch.stack([one.grad.norm() for one in network.parameters()]))  # type: ignore[union-attr]
        assert float(norm) == pytest.approx(0.01, rel=1e-3)


class Hungry(nn.Module):
    """Memory for so many rows and no more."""

    def __init__(self, most: int, error: Exception) -> None:
        super().__init__()
        self.inner, self.most, self.error = small_network(), most, error

    def forward(self, inputs: Tensor) -> Tensor:
        if len(inputs) > self.most and self.training:
            raise self.error
        return self.inner(inputs)


class TestMemory:
    @pytest.mark.parametrize(
        "error",
        [torch.OutOfMemoryError("CUDA"), MemoryError(), RuntimeError("[..] DefaultCPUAllocator: not enough memory")],
    )
    def test_smaller_parts_are_tried_until_they_fit_and_the_result_is_the_same(self, error: Exception) -> None:
        network = Hungry(2, error)
        done = train(network, Corners(), settings(), seed=0)
        assert done.accumulate == 4
        assert near(dict(network.inner.state_dict()), learned()[0])
        assert same(dict(network.inner.state_dict()), learned(accumulate=4)[0])

    def test_what_a_gpu_keeps_for_later_is_given_back_before_each_try(self, monkeypatch: pytest.MonkeyPatch) -> None:
        tries: list[str] = []
        monkeypatch.setattr(loop, "give_back_memory", lambda: tries.append("smaller"))
        train(Hungry(2, torch.OutOfMemoryError("CUDA")), Corners(), settings(), seed=0)
        assert tries == ["smaller", "smaller"]

        emptied: list[bool] = []
        monkeypatch.setattr(torch.cuda, "empty_cache", lambda: emptied.append(True))
        for there in (True, False):
            monkeypatch.setattr(torch.cuda, "is_available", lambda there=there: there)
            give_back_memory()
        assert emptied == [True]

    def test_where_not_even_one_row_fits_the_error_is_raised(self) -> None:
        with pytest.raises(torch.OutOfMemoryError, match="not one"):
            train(Hungry(0, torch.OutOfMemoryError("not one")), Corners(), settings(), seed=0)

    def test_other_errors_are_no_lack_of_memory(self) -> None:
        with pytest.raises(RuntimeError, match="shapes"):
            train(Hungry(2, RuntimeError("shapes do not fit")), Corners(), settings(), seed=0)
        assert not is_out_of_memory(ValueError("out of memory"))

    @pytest.mark.parametrize("library", ["CUBLAS", "CUDNN"])
    def test_a_library_that_gets_no_memory_on_a_gpu_lacks_memory(self, library: str) -> None:
        assert is_out_of_memory(RuntimeError(f"{library}_STATUS_ALLOC_FAILED when calling `create(handle)`"))

    def test_memory_that_runs_out_late_repeats_only_that_step(self) -> None:
        class Late(Corners):
            left = 5

            def batch(self, rows: IntArray, epoch: int) -> Any:
                self.left -= 1
                if self.left == 0:
                    raise MemoryError
                return super().batch(rows, epoch)

        lesson = Late()
        found, done = learned(lesson)
        assert done.accumulate == 2
        assert near(found, learned()[0])
        assert [record.epoch for record in done.history] == [1, 2, 3, 4]

    def test_memory_that_runs_out_for_the_best_weights_counts_no_epoch_twice(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        class Full(Corners):
            full = True

            def examine(self, network: nn.Module) -> dict[str, float]:
                found = super().examine(network)
                if len(self.examined) == 2 and self.full:
                    monkeypatch.setattr(torch.Tensor, "clone", self.fail)
                return found

            def fail(self, *_given: Any) -> Tensor:
                self.full = False
                monkeypatch.undo()
                raise torch.OutOfMemoryError

        lesson = Full()
        _, done = learned(lesson, patience=4)
        assert not lesson.full
        assert done.accumulate == 2
        assert [record.epoch for record in done.history] == [1, 2, 3, 4]


class TestAverage:
    def test_by_hand(self) -> None:
        network = nn.Linear(1, 1, bias=False)
        average = averaged(network, 0.9)
        found = []
        for value in (1.0, 2.0, 4.0):
            nn.init.constant_(network.weight, value)
            average.update_parameters(network)
            found.append(float(average.module.weight.detach()))
        second = 2 / 11 * 1 + 9 / 11 * 2
        assert found == pytest.approx([1.0, second, 3 / 12 * second + 9 / 12 * 4])
        for _ in range(100):
            average.update_parameters(network)
        nn.init.constant_(network.weight, 14.0)
        average.update_parameters(network)
        assert float(average.module.weight.detach()) == pytest.approx(0.9 * 4 + 0.1 * 14, rel=1e-4)

    def test_the_average_is_what_is_examined_and_kept(self) -> None:
        lesson = Corners()
        found, _ = learned(lesson, ema=0.5)
        plain, _ = learned()
        assert same(found, lesson.examined[-1])
        assert not near(found, plain, 1e-4)


class Worsening(Corners):
    """Held-out losses as they are listed; the weights of each examination are remembered."""

    losses = (3.0, 1.0, 2.0, 1.5, 0.1)

    def examine(self, network: nn.Module) -> dict[str, float]:
        super().examine(network)
        return {"loss": self.losses[len(self.examined) - 1]}


class TestStoppingEarly:
    def test_it_ends_when_it_has_not_got_better_for_long_enough_and_goes_back_to_the_best(self) -> None:
        lesson = Worsening()
        found, done = learned(lesson, epochs=9, patience=2)
        assert [record.held_out["loss"] for record in done.history] == [3.0, 1.0, 2.0, 1.5]
        assert done.best == 2
        assert same(found, lesson.examined[1])

    def test_without_patience_the_last_is_kept(self) -> None:
        lesson = Worsening()
        found, done = learned(lesson)
        assert done.best is None
        assert same(found, lesson.examined[3])

    def test_the_held_out_part_is_examined_as_often_as_asked_and_at_the_end(self) -> None:
        _, done = learned(epochs=5, examine_every=2)
        assert [bool(record.held_out) for record in done.history] == [False, True, False, True, True]

    def test_there_must_be_something_to_examine(self) -> None:
        with pytest.raises(ValueError, match="early stopping needs a part that is held out"):
            learned(Corners(held_out=False), patience=1)
        assert learned(Corners(held_out=False))[1].history[0].held_out == {}


class TestPrecision:
    @pytest.mark.parametrize("precision", ["bfloat16", "float16"])
    def test_fewer_bits_learn_the_same_and_losses_stay_in_float32(self, precision: Any) -> None:
        kinds = set()

        class Looking(Corners):
            def loss(self, outputs: Any, answers: Tensor) -> Tensor:
                kinds.add(outputs.dtype)
                return super().loss(outputs, answers)

        network = small_network()
        inside = []
        network[0].register_forward_hook(lambda _module, _inputs, output: inside.append(output.dtype))
        found, done = learned(Looking(), network, precision=precision, epochs=8)
        assert done.precision == precision
        assert done.history[-1].training["accuracy"] == 1
        assert kinds == {torch.float32}
        assert getattr(torch, precision) in inside
        assert all(value.dtype == torch.float32 for value in found.values())
        assert near(found, learned(epochs=8)[0], 0.05)

    @pytest.mark.parametrize(
        ("able", "precision"), [({"avx512_bf16": True}, "bfloat16"), ({"amx_bf16": True}, "bfloat16"), ({}, "float32")]
    )
    def test_a_cpu_says_what_it_is_good_at(self, able: Any, precision: str, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: able)
        assert precision_for("auto", "cpu") == precision
        assert precision_for("float16", "cpu") == "float16"

    @pytest.mark.parametrize(("version", "precision"), [((9, 0), "bfloat16"), ((7, 5), "float16"), ((6, 1), "float32")])
    def test_a_gpu_by_its_age(self, version: Any, precision: str, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(torch.cuda, "get_device_capability", lambda _device: version)
        assert precision_for("auto", "cuda") == precision

    def test_float32_is_left_alone(self) -> None:
        with autocast("float32", "cpu"):
            assert (torch.ones(2, 2) @ torch.ones(2, 2)).dtype == torch.float32

    @pytest.mark.parametrize("planes", [2, 3])
    def test_channels_last_gives_the_same_and_is_put_back(self, planes: int) -> None:
        lessons = (Corners(planes=planes) for _ in range(2))
        one, other = (
            learned(lesson, small_network(planes=planes), channels_last=last)[0]
            for lesson, last in zip(lessons, (True, False), strict=True)
        )
        assert near(one, other)
        assert all(value.is_contiguous() for value in one.values())


class TestGoingOn:
    def test_a_training_killed_at_any_step_ends_with_the_same_bits(self, tmp_path: Path) -> None:
        wanted, whole = learned_when_killed(None)
        file = tmp_path / "checkpoint.pt"
        command = [sys.executable, "-m", "tests.tasks.train.exercise", str(file)]
        env = {**os.environ, "OMP_NUM_THREADS": "1"}
        with subprocess.Popen(command, cwd=CHECKOUT, env=env) as process:
            while not file.exists() and process.poll() is None:
                time.sleep(0.01)
            time.sleep(np.random.default_rng().uniform(0, 0.6))  # of 15 steps of 0.1 s and more
            process.kill()
        assert process.returncode == -9
        found, done = learned_when_killed(file)
        assert same(found, wanted)
        assert done == whole

    def test_every_step_may_be_the_last_before_the_kill(self, tmp_path: Path) -> None:
        wanted, whole = learned_when_killed(None)
        for step in (1, 4, 9, 14):
            file = tmp_path / f"{step}.pt"
            with pytest.raises(KeyboardInterrupt):
                learned_when_killed(file, Interrupted(step))
            found, done = learned_when_killed(file)
            assert same(found, wanted)
            assert done == whole
            assert done.resumed == (step - 1) // 3  # an epoch is over when it was examined

    def test_a_training_that_had_ended_is_only_read_and_tells_its_epochs_again(self, tmp_path: Path) -> None:
        file = tmp_path / "checkpoint.pt"
        wanted, whole = learned(file=file)
        lesson, network, told = Corners(), small_network(), []
        done = train(network, lesson, settings(), seed=0, checkpoint=file, on_epoch=told.append)
        assert lesson.batches == lesson.examined == []
        assert same(dict(network.state_dict()), wanted)
        assert done == whole
        assert tuple(told) == whole.history
        assert done.resumed == 4

    @pytest.mark.parametrize("change", [{"seed": 1}, {"learning_rate": 0.02}, {"lesson": Corners(20)}])
    def test_a_checkpoint_of_another_training_is_not_gone_on_with(self, change: dict[str, Any], tmp_path: Path) -> None:
        file = tmp_path / "checkpoint.pt"
        learned(file=file)
        _, done = learned(file=file, **change)
        assert done.resumed == 0
        assert learned(file=file, **change)[1].resumed == 4

    def test_smaller_parts_are_remembered(self, tmp_path: Path) -> None:
        file = tmp_path / "checkpoint.pt"
        for rows in (2, 8):
            done = train(Hungry(rows, MemoryError()), Corners(), settings(), seed=0, checkpoint=file)
            assert done.accumulate == 4


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


def learned_when_killed(file: Path | None, lesson: Corners | None = None) -> tuple[Weights, Trained]:
    network = small_network(dropout=0.3)
    done = train(network, lesson or Corners(), TO_BE_KILLED, seed=3, checkpoint=file, checkpoint_every_s=0)
    return dict(network.state_dict()), done
