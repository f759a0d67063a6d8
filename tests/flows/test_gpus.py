"""Which workers a run gets for its GPU tasks, by what the study asks for and what the machine or the cluster has."""

from __future__ import annotations

import subprocess
from collections.abc import Mapping
from types import SimpleNamespace
from typing import Any

import pytest
import torch

from flows import cluster
from flows.cluster import ClusterError, GpuPolicy, Layout, check_gpus, local_layout, remote_layout, visible_gpus
from flows.settings import PictureStudySettings, SegmentationStudySettings, StudySettings
from tasks.deep.device import best_device
from tasks.task import Stage
from tasks.train.network_settings import NetworkSettings

LISTED = "GPU 0: H200 (UUID: GPU-a)\n  MIG 1g Device 0: (UUID: MIG-b)\nGPU 1: H200 (UUID: GPU-c)\nGPU 2: H200\n"


@pytest.fixture
def three_gpus(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    monkeypatch.setattr(subprocess, "run", lambda *_args, **_kw: SimpleNamespace(stdout=LISTED))


class TestWhatThereIs:
    @pytest.mark.usefixtures("three_gpus")
    def test_gpus_are_counted_as_the_driver_lists_them_or_as_the_site_allows(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        assert visible_gpus() == ("0", "1", "2")
        monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "2,0")
        assert visible_gpus() == ("2", "0")
        monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")
        assert visible_gpus() == ()

    def test_without_a_driver_there_are_none(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("PATH", "")
        assert visible_gpus() == ()

    @pytest.mark.parametrize("there", [True, False])
    def test_a_task_works_on_the_gpu_that_its_worker_sees(self, there: bool, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(torch.cuda, "is_available", lambda: there)
        assert best_device() == ("cuda" if there else "cpu")


@pytest.mark.usefixtures("three_gpus")
class TestWorkersOfThisMachine:
    def test_each_gpu_has_a_worker_unless_they_are_off(self) -> None:
        assert local_layout(2, "auto") == local_layout(2, "require") == Layout(2, ("0", "1", "2"), 1)
        assert local_layout(2, "auto").labels == {"CPU", "GPU"}
        assert local_layout(2, "off").gpus == ()
        assert local_layout(2, "off").labels == {"CPU"}

    @pytest.mark.parametrize(
        ("together", "gpus", "most"), [(2, ("0,1", "2"), 2), (3, ("0,1,2",), 3), (4, ("0,1,2",), 3)]
    )
    def test_gpus_that_learn_together_have_one_worker(self, together: int, gpus: tuple[str, ...], most: int) -> None:
        assert local_layout(2, "auto", together) == Layout(2, gpus, most)

    def test_a_worker_sees_its_gpus_and_is_labelled_by_their_number(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(cluster, "SpecCluster", lambda workers, **_: workers)
        started = cluster.local_cluster(Layout(1, ("0,1", "2"), 2))
        told = {name: one["options"] for name, one in started.items()}
        assert {name: one["resources"] for name, one in told.items()} == {
            "cpu-0": {"CPU": 1},
            "gpu-0,1": {"GPU": 2},
            "gpu-2": {"GPU": 1},
        }
        assert [one["env"]["CUDA_VISIBLE_DEVICES"] for one in told.values()] == ["", "0,1", "2"]
        assert {one["nthreads"] for one in told.values()} == {1}


class Cluster:
    """A client of a cluster that was there before."""

    def __init__(self, *resources: Mapping[str, float]) -> None:
        self.resources = resources

    def scheduler_info(self, n_workers: int) -> dict[str, Any]:
        del n_workers
        return {"workers": {f"tcp://{n}": {"resources": one} for n, one in enumerate(self.resources)}}


def test_a_cluster_has_the_gpus_that_its_labels_say() -> None:
    layout = remote_layout(Cluster({"CPU": 1.0}, {"GPU": 1.0}, {"GPU": 4.0}, {"CPU": 1.0}))  # type: ignore[arg-type]
    assert layout == Layout(2, ("tcp://1", "tcp://2"), 4)
    none = remote_layout(Cluster({"CPU": 1.0}))  # type: ignore[arg-type]
    assert (none.gpus, none.labels) == ((), {"CPU"})


class TestWhatAStudyAsksFor:
    @pytest.mark.parametrize(
        ("gpus", "together", "gpu", "devices"),
        [
            ((), 0, "auto", 1),
            ((), 0, "auto", 2),
            ((), 0, "off", 2),
            (("0",), 1, "off", 2),
            (("0",), 1, "require", 1),
            (("0,1",), 2, "require", 2),
            (("0,1", "2"), 2, "auto", 1),
        ],
    )
    def test_what_can_be_done_is_let_pass(
        self, gpus: tuple[str, ...], together: int, gpu: GpuPolicy, devices: int
    ) -> None:
        check_gpus(Layout(1, gpus, together), gpu, devices)

    def test_a_gpu_that_is_required_must_be_there(self) -> None:
        with pytest.raises(ClusterError, match='gpu = "require", but there is no GPU here'):
            check_gpus(Layout(1), "require", 1)

    def test_as_many_gpus_as_learn_together_must_be_in_one_place(self) -> None:
        with pytest.raises(ClusterError, match=r"devices = 2, and no worker has more GPUs than 1: .* \"GPU=2\""):
            check_gpus(Layout(1, ("0", "1"), 1), "auto", 2)

    def test_a_study_says_how_many_learn_together_at_most(self) -> None:
        learning = {"small_cnn": {"devices": 3}, "alexnet": {"devices": 2}}
        train = {"models": ["small_cnn", "alexnet", "svm"], "learning": learning}
        pictures = PictureStudySettings.model_validate({"name": "a", "kind": "pictures", "train": train})
        assert pictures.devices == 3
        about = {"name": "a", "kind": "segmentation", "ingest": {"structures": {"head": 1}}}
        assert SegmentationStudySettings.model_validate(about).devices == 1
        about["train"] = {"engine": {"devices": 2, "batch": 2}}
        assert SegmentationStudySettings.model_validate(about).devices == 2
        about = {"name": "a", "ingest": {"images": {"ct": {"modality": "CT"}}}}
        assert StudySettings.model_validate(about).devices == 1
        about["train"] = {"on_patches": [{"model": "cnn3d", "engine": {"devices": 2}}, {"model": "haar_cascade"}]}
        assert StudySettings.model_validate(about).devices == 2


def test_a_piece_of_work_says_how_many_gpus_it_takes() -> None:
    stage = Stage("deep", libraries=(), places=("tasks.classical.scoring",))
    one, two = (stage.plan(NetworkSettings(devices=n), subject="a", inputs={}, devices=n) for n in (1, 2))
    assert (one.devices, two.devices) == (1, 2)
    assert one.key != two.key
