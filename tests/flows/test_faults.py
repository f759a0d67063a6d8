"""Whatever ends a run, the same command goes on where it ended and comes to the same outputs, and nothing is left."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import psutil
import pytest

from flows.leases import LeaseRecord, read_leases
from storage.artifacts import ArtifactStore

if TYPE_CHECKING:
    from tests.flows.conftest import Command, Ended, Workplace

pytestmark = pytest.mark.server

ARTIFACTS = 31
"""What a run over three patients makes."""


def lease_of(command: Command) -> LeaseRecord | None:
    """The lease that a run holds, once it does."""
    assert command.store is not None
    return next((lease for _, lease in read_leases(command.store / "leases")), None)


def test_a_driver_that_is_killed_again_and_again_comes_to_the_same_outputs(workplace: Workplace, three: Ended) -> None:
    rng = np.random.default_rng(42)
    at_the_start, between, at_the_end = [0], list(rng.choice(np.arange(1, ARTIFACTS), 2, replace=False)), [ARTIFACTS]
    store, inbox, killed = workplace.new("store"), workplace.inbox(0, 1, 2), []
    for moment in [*at_the_start, *sorted(between), *at_the_end]:
        command = workplace.start_run(store, inbox)
        lease = command.until(lambda command=command: lease_of(command))
        command.until(lambda command=command, moment=moment: command.committed >= moment)
        time.sleep(rng.uniform(0, 0.3))
        command.process.kill()
        assert command.wait().code == -9
        assert command.is_gone
        killed.append(lease.flow_run_id)
    run = workplace.run(store, inbox)
    assert run.code == 0, run.said
    run.assert_same_outputs(three)
    assert [workplace.flow_run(one)["state"]["name"] for one in killed] == ["Crashed"] * len(killed)
    assert workplace.running() == []
    assert list(read_leases(store / "leases")) == []
    assert "0 damaged" in workplace.do("verify", "--store", store).said


def test_a_worker_that_is_killed_is_replaced_and_the_outputs_are_the_same(workplace: Workplace, three: Ended) -> None:
    rng = np.random.default_rng(7)
    command = workplace.start_run(workplace.new("store"), workplace.inbox(0, 1, 2), None, "--workers", "2")
    lease = command.until(lambda: (lease := lease_of(command)) and lease.workers and lease)
    pids = [worker.pid for worker in lease.workers]
    assert len(pids) == 2
    moments = sorted(rng.choice(ARTIFACTS - 3, len(pids), replace=False))
    for moment, victim in zip(moments, rng.permutation(pids), strict=True):
        command.until(lambda moment=moment: command.committed >= moment)
        time.sleep(rng.uniform(0, 0.3))
        psutil.Process(int(victim)).kill()
    run = command.wait()
    assert run.code == 0, run.said
    run.assert_same_outputs(three)
    assert command.is_gone
    assert workplace.flow_run(run.summary["run"])["state"]["name"] == "Completed"


def test_ctrl_c_leaves_in_order_and_a_second_one_at_once(workplace: Workplace, three: Ended) -> None:
    store, inbox = workplace.new("store"), workplace.inbox(0, 1, 2)
    command = workplace.start_run(store, inbox)
    lease = command.until(lambda: (lease := lease_of(command)) and lease.workers and lease)
    command.until(lambda: command.committed > 8)
    command.interrupt()
    stopped = command.wait(60)
    assert stopped.code == 130
    assert "the same command continues" in stopped.said
    assert "Traceback" not in stopped.said
    assert command.is_gone
    assert workplace.flow_run(lease.flow_run_id)["state"]["name"] == "Cancelled"
    assert list(read_leases(store / "leases")) == []

    command = workplace.start_run(store, inbox)
    command.until(lambda: command.committed > 14)
    command.interrupt()
    command.until(lambda: "Ctrl-C again kills" in command.said)
    command.interrupt()
    assert command.wait(5).code == -9
    assert command.is_gone

    run = workplace.run(store, inbox)
    assert run.code == 0, run.said
    run.assert_same_outputs(three)
    assert workplace.running() == []


def test_an_artifact_that_cannot_be_read_costs_its_case_until_it_is_removed(workplace: Workplace, four: Ended) -> None:
    folder = workplace.copy(four)
    store, key_of = ArtifactStore(folder), {(line.stage, line.subject): line.key for line in four.lines}
    annotations = {subject: store.open(stage, key) for (stage, subject), key in key_of.items() if stage == "annotate"}
    case = next(c for c, path in annotations.items() if json.loads((path / "facts.json").read_text())["lesions"] == 0)
    image = store.open("normalize", key_of["normalize", case])
    for chunk in (image / "image.zarr" / "0" / "c").rglob("*"):
        if chunk.is_file():
            chunk.write_bytes(b"\0" * chunk.stat().st_size)
    store.remove(store.open("extract", key_of["extract", case]))

    run = workplace.run(folder, workplace.inbox(0, 1, 2, 3))
    assert run.code == 3, run.said
    [exclusion] = run.summary["excluded"]
    assert (exclusion["case"], exclusion["stage"]) == (case, "extract")
    assert exclusion["reason"]
    assert run.stage("extract") == (0, 3, 1)
    assert run.summary["analysed"] == 3
    assert run.stage("evaluate") == (1, 0, 0)
    assert workplace.task_runs(run.summary["run"])[f"extract {case}"] == "Failed"

    found = workplace.do("verify", "--store", folder)
    assert found.code == 1
    assert f"normalize/{image.name[:12]}" in found.said
    assert workplace.do("verify", "--store", folder, "--remove-damaged").code == 0
    repaired = workplace.run(folder, workplace.inbox(0, 1, 2, 3))
    assert repaired.code == 0, repaired.said
    assert repaired.computed == {"normalize": 1, "extract": 1}
    repaired.assert_same_outputs(four)


@pytest.fixture
def small_disk(workplace: Workplace) -> Iterator[Path]:
    """A file system of its own in memory, small enough to be filled."""
    folder = workplace.new("disk")
    folder.mkdir()
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=1200m", "tmpfs", folder], capture_output=True)
    if mounted.returncode:
        pytest.skip("only root may mount the small file system that this needs")
    try:
        yield folder
    finally:
        subprocess.run(["umount", "--lazy", folder], check=True)


def test_a_disk_without_room_is_refused_before_anything_starts(
    workplace: Workplace, small_disk: Path, inbox_of_one: Path
) -> None:
    with (small_disk / "filler").open("wb") as file:
        os.posix_fallocate(file.fileno(), 0, 300 * 2**20)
    run = workplace.run(small_disk / "store", inbox_of_one)
    assert run.code == 2
    assert "0.9 GiB are free" in run.said
    assert "choose another --store" in run.said


def test_a_disk_that_fills_up_leaves_a_clear_message_and_what_was_committed_is_valid(
    workplace: Workplace, small_disk: Path, inbox_of_one: Path
) -> None:
    store = small_disk / "store"
    command = workplace.start_run(store, inbox_of_one)
    command.until(lambda: command.committed)
    filler = small_disk / "filler"
    with filler.open("wb") as file:
        os.posix_fallocate(file.fileno(), 0, shutil.disk_usage(small_disk).free - 64 * 2**10)
    full = command.wait()
    assert full.code in (1, 3)
    assert "No space left on device" in full.said
    assert command.is_gone
    assert "0 damaged" in workplace.do("verify", "--store", store).said
    assert workplace.running() == []

    filler.unlink()
    run = workplace.run(store, inbox_of_one)
    assert run.code == 0, run.said
    assert run.summary["analysed"] == 1
