"""Several processes learn one network: the same as one would, and none of them outlives the training."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from multiprocessing.reduction import ForkingPickler
from pathlib import Path
from pickle import loads
from typing import Any

import numpy as np
import psutil
import pytest
import torch
import zarr
from pydantic import ValidationError
from torch import Tensor, nn

from tasks.discover import MODELS, part, part_names
from tasks.train.engine import EpochRecord, Trained, train
from tasks.train.network_learn import lesson_of
from tasks.train.network_settings import NetworkSettings
from tasks.train.segmentation_lesson import SegmentationLesson
from tasks.train.segmentation_settings import SegmentationSettings
from tasks.train.segmentation_volumes import LabelledVolume
from tasks.train.team import ALONE, Team
from tasks.train.together import DiedError, train_together
from tests.tasks.train.exercise import Corners, settings, small_network
from tests.tasks.train.team_exercise import LEARNED_BY_TWO, Deadly, Uneven, Watched

CHECKOUT = Path(__file__).parents[3]
SOON_S = 120.0


@pytest.fixture(autouse=True)
def one_thread() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def children() -> list[psutil.Process]:
    """Processes that learn; Python's resource tracker stays by design."""
    return [one for one in psutil.Process().children(recursive=True) if "spawn_main" in " ".join(one.cmdline())]


class TestShares:
    def test_every_row_is_in_one_share(self) -> None:
        rows = np.array([5, 3, 8, 1, 9])
        shares = [Team(rank, 3).share(rows).tolist() for rank in range(3)]
        assert shares == [[5, 1], [3, 9], [8]]
        assert ALONE.share(rows).tolist() == rows.tolist()

    def test_a_step_with_too_few_rows_is_refused(self) -> None:
        with pytest.raises(ValueError, match="a step has 2 rows for 3 devices"):
            Team(0, 3).share(np.array([1, 2]))
        with pytest.raises(ValidationError, match="3 devices share a step of 2 rows"):
            settings(batch=2, devices=3)

    def test_each_process_draws_numbers_of_its_own_and_the_first_those_of_one_alone(self) -> None:
        assert [Team(rank, 3).own for rank in range(3)] == [ALONE.own, (1,), (2,)]

    def test_one_alone_adds_nothing_up_and_decides_by_itself(self) -> None:
        ALONE.add_up([tensor := torch.ones(2)])
        assert tensor.tolist() == [1, 1]
        assert [ALONE.as_the_first(decided) for decided in (True, False)] == [True, False]

    def test_gpus_that_are_not_there_are_missed(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(torch.cuda, "device_count", lambda: 1)
        about: dict[str, Any] = {"device": "cuda", "checkpoint": None, "on_epoch": print}
        with pytest.raises(ValueError, match="to be learned on 2 GPUs, and 1 are visible here"):
            train_together(small_network(), Corners(), settings(devices=2), **about)


class TestTravelling:
    """What is sent to another process goes through its pickler; a class or function without a name of its own fails."""

    @pytest.mark.parametrize("name", part_names(MODELS, with_function="build_network"))
    def test_networks_on_pictures(self, name: str) -> None:
        module = part(MODELS, name)
        network = module.architecture(module.Settings(), classes=4)  # without numbers
        with torch.device("meta"):
            head = nn.Sequential(network.get_submodule("features"), nn.Flatten(), nn.Linear(2, 4))
        for one in (network, head):
            assert str(loads(ForkingPickler.dumps(one))) == str(one)

    @pytest.mark.parametrize("name", ["unet", "cnn3d"])
    def test_networks_on_volumes(self, name: str) -> None:
        module = part(MODELS, name)
        told = module.planned(module.Settings(), spacing_mm=(1.0, 1.0, 1.0), shape=(32, 32, 32))
        network = module.architecture(told, classes=3, channels=1)
        assert str(loads(ForkingPickler.dumps(network))) == str(network)

    def test_lessons_of_pictures_whose_pixels_are_shared(self) -> None:
        planes, rows = torch.zeros(6, 3, 16, 16, dtype=torch.uint8), np.arange(6)
        told = NetworkSettings(model="small_cnn", input_px=16)
        about: dict[str, Any] = {"classes": 2, "settings": told, "seed": 0, "device": "cpu"}
        lesson = lesson_of(planes, rows % 2, rows[:4], rows[4:], **about)
        sent = ForkingPickler.dumps(lesson)
        assert planes.is_shared()
        assert len(sent) < 10_000

    def test_lessons_of_volumes_whose_images_stay_on_disk(self, tmp_path: Path) -> None:
        image = zarr.create_array(tmp_path / "image.zarr", shape=(8, 16, 16), chunks=(8, 16, 16), dtype="float32")
        image[...] = np.random.default_rng(0).normal(size=image.shape)
        classes = np.zeros(image.shape, np.uint8)
        classes[2:5, 3:9, 3:9] = 1
        case = LabelledVolume("0" * 64, "P-0", image, classes, (1.0, 1.0, 1.0), np.eye(3).tolist(), "arbitrary")
        told = SegmentationSettings(window=(8, 8, 8))
        lesson = SegmentationLesson([case], [], told, structures=1, mean=0.0, std=1.0)
        sent = ForkingPickler.dumps(lesson)
        rows = lesson.steps(3)[0]
        assert torch.equal(loads(sent).batch(rows, 3).inputs, lesson.batch(rows, 3).inputs)


@pytest.mark.slow
class TestLearningTogether:
    def test_two_that_run_out_of_memory_end_with_what_one_learns(self, tmp_path: Path) -> None:
        """Rows weigh differently, steps cannot be shared evenly, most gradients are cut (norms of 1.2 to 2.1)."""
        change: dict[str, Any] = {"gradient_norm": 1.2, "ema": 0.5, "epochs": 3}
        told: list[EpochRecord] = []
        network = Watched(tmp_path)
        done = train(network, Uneven(), settings(devices=2, **change), seed=0, on_epoch=told.append)
        alone = small_network()
        wanted = train(alone, Uneven(), settings(**change), seed=0)

        assert done.accumulate == 2
        assert near(dict(network.inner.state_dict()), dict(alone.state_dict()))
        assert not near(dict(alone.state_dict()), dict(small_network().state_dict()), 1e-3)
        assert tuple(told) == done.history
        for found, right in zip(done.history, wanted.history, strict=True):
            assert found.training == pytest.approx(right.training, rel=1e-6)
            assert found.held_out == pytest.approx(right.held_out, rel=1e-6)

        seen: dict[str, list[bytes]] = {}
        for file in sorted(tmp_path.iterdir()):
            seen.setdefault(file.stem.partition("-")[0], []).append(np.load(file).tobytes())
        assert [len(pair) for pair in seen.values()] == [2] * len(seen)
        assert all(one == other for one, other in seen.values())
        assert children() == []

    def test_the_death_of_one_ends_all_and_another_team_goes_on_to_the_same_bits(self, tmp_path: Path) -> None:
        file, grave = tmp_path / "checkpoint.pt", tmp_path / "grave"
        with pytest.raises(DiedError, match=r"rank-\d of 2 that learned together died with code -9"):
            learned_by_team(file, grave)
        assert children() == []
        assert file.exists()
        found, done = learned_by_team(file, grave)
        wanted, whole = learned_by_team(None, grave)
        assert done.resumed >= 1
        assert near(found, wanted, 0.0)
        assert done == whole

    def test_a_team_whose_parent_is_killed_ends_too(self, tmp_path: Path) -> None:
        file = tmp_path / "checkpoint.pt"
        command = [sys.executable, "-m", "tests.tasks.train.team_exercise", str(file)]
        with subprocess.Popen(command, cwd=CHECKOUT, env={**os.environ, "OMP_NUM_THREADS": "1"}) as process:
            while not file.exists() and process.poll() is None:
                time.sleep(0.01)
            team = psutil.Process(process.pid).children(recursive=True)
            process.kill()
        assert process.returncode == -9
        assert len(team) >= 2
        assert psutil.wait_procs(team, timeout=SOON_S)[1] == []


def near(one: dict[str, Tensor], other: dict[str, Tensor], tolerance: float = 1e-6) -> bool:
    return all(torch.allclose(one[name], other[name], rtol=0, atol=tolerance) for name in one)


def learned_by_team(file: Path | None, grave: Path) -> tuple[dict[str, Tensor], Trained]:
    network: nn.Module = small_network(dropout=0.3)
    done = train(network, Deadly(grave), LEARNED_BY_TWO, seed=3, checkpoint=file, checkpoint_every_s=0)
    return dict(network.state_dict()), done
