"""One network learned on several devices: a process for each, watched by the process that wants the result.

The processes are started afresh (spawned), each sees one GPU, and each gets network and lesson as they are; what a
lesson holds in tensors is shared memory. The first to fail ends all, with its error. They wait to be ended rather than
end by themselves, so that the others do not take an end for an error of their own; and they end at once when their
parent is gone, whatever way it went.

Where the memory of one runs out, all begin again at the last checkpoint, with smaller parts.
"""

from __future__ import annotations

import copy
import math
import multiprocessing
import os
import signal
import threading
import traceback
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from multiprocessing.connection import Connection, wait
from multiprocessing.context import SpawnProcess
from multiprocessing.reduction import ForkingPickler
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any, NoReturn

from tasks.deep.memory import give_back_memory, is_out_of_memory
from tasks.train.engine_settings import EngineSettings
from tasks.train.lesson import Lesson
from tasks.train.loop import learn
from tasks.train.record import EpochRecord, Trained
from tasks.train.team import join

if TYPE_CHECKING:
    import numpy.typing as npt
    from torch import nn

    Weights = dict[str, npt.NDArray[Any]]

DEATH_SHOWS_S = 1.0
"""A process that died is noticed by the others about when its parent notices: so long the true cause is waited for."""
ENDS_WITHIN_S = 30.0


class DiedError(RuntimeError):
    """A process of a team ended without a word: killed, most often since the machine's memory ran out."""


@dataclass(frozen=True, eq=False)
class Job:
    """What each process of a team is given. ``place``: what `tasks.train.loop.learn` is told beside it."""

    network: nn.Module
    lesson: Lesson
    settings: EngineSettings
    accumulate: int
    device: str
    gpus: Sequence[str]
    threads: int
    folder: Path
    place: dict[str, Any]


def train_together(
    network: nn.Module,
    lesson: Lesson,
    settings: EngineSettings,
    *,
    device: str,
    checkpoint: Path | None,
    on_epoch: Callable[[EpochRecord], None],
    **place: Any,
) -> Trained:
    """As `tasks.train.engine.train`, on ``settings.devices`` devices; on the CPU in as many processes.

    Raises
    ------
    ValueError
        Where fewer GPUs are visible.
    DiedError
        When a process dies. What a process raises is raised here, with its traceback as a note.
    """
    import torch

    gpus = _visible_gpus(settings.devices) if torch.device(device).type == "cuda" else ()
    network.cpu()
    give_back_memory()
    with TemporaryDirectory(prefix="lesionflow-team-") as folder:
        place["checkpoint"] = checkpoint or Path(folder) / "checkpoint.pt"
        threads = max(1, torch.get_num_threads() // settings.devices)
        job = Job(network, lesson, settings, settings.accumulate, device, gpus, threads, Path(folder), place)
        trained, weights = _in_parts_that_fit(job, _once_each(on_epoch))
    network.load_state_dict({name: torch.from_numpy(value) for name, value in weights.items()})
    network.to(device).eval()
    return trained


def _in_parts_that_fit(job: Job, on_epoch: Callable[[EpochRecord], None]) -> tuple[Trained, Weights]:
    most = math.ceil(job.settings.batch / job.settings.devices)
    while True:
        try:
            with _team_at_work(job) as team:
                return _listen(team, on_epoch)
        except Exception as error:
            if not is_out_of_memory(error) or job.accumulate >= most:
                raise
        job = replace(job, accumulate=job.accumulate * 2)


@contextmanager
def _team_at_work(job: Job) -> Iterator[dict[Connection, SpawnProcess]]:
    """The processes, by the pipe through which each speaks. None of them outlives this block."""
    spawn = multiprocessing.get_context("spawn")
    team: dict[Connection, SpawnProcess] = {}
    try:
        for rank in range(job.settings.devices):
            ours, theirs = spawn.Pipe(duplex=False)
            process = spawn.Process(target=take_part, args=(rank, job, theirs), name=f"rank-{rank}", daemon=True)
            with _may_have_children():
                process.start()
            theirs.close()  # so that the pipe ends with the process
            team[ours] = process
        yield team
    finally:
        for process in team.values():
            process.kill()
        for pipe, process in team.items():
            process.join(ENDS_WITHIN_S)
            pipe.close()


def _listen(team: dict[Connection, SpawnProcess], on_epoch: Callable[[EpochRecord], None]) -> tuple[Trained, Weights]:
    """What the first process ends with. Raises what the first to fail has raised."""
    while True:
        for pipe in _speaking(team):
            word = _word(pipe, team)
            if isinstance(word, Exception):
                raise _cause(word, [one for one in team if one is not pipe], team)
            if isinstance(word, EpochRecord):
                on_epoch(word)
            else:
                trained, weights = word
                return trained, weights


def _speaking(pipes: Iterable[Connection], within_s: float | None = None) -> list[Connection]:
    return [pipe for pipe in wait(list(pipes), within_s) if isinstance(pipe, Connection)]


def _word(pipe: Connection, team: dict[Connection, SpawnProcess]) -> Any:
    try:
        return pipe.recv()
    except (EOFError, OSError):  # between two words, or within one
        process = team[pipe]
        process.join(ENDS_WITHIN_S)
        return DiedError(f"{process.name} of {len(team)} that learned together died with code {process.exitcode}")


def _cause(error: Exception, others: Sequence[Connection], team: dict[Connection, SpawnProcess]) -> Exception:
    """The error; or, where it is only how the others took notice of it, the death of a process."""
    if isinstance(error, DiedError):
        return error
    words = (_word(pipe, team) for pipe in _speaking(others, DEATH_SHOWS_S))
    return next((word for word in words if isinstance(word, DiedError)), error)


def take_part(rank: int, job: Job, words: Connection) -> None:
    """The life of one process of a team, which its parent ends."""
    threading.Thread(target=_end_with_parent, name="end-with-parent", daemon=True).start()
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches every process of the terminal; the parent decides
    if job.gpus:
        os.environ["CUDA_VISIBLE_DEVICES"] = job.gpus[rank]
    try:
        ended = _learn(rank, job, words)
        if rank == 0:
            words.send(ended)
    except Exception as error:
        error.add_note(f"in rank-{rank}:\n{traceback.format_exc()}")
        _tell(error, words)
    threading.Event().wait()


def _learn(rank: int, job: Job, words: Connection) -> tuple[Trained, Weights]:
    import torch

    torch.set_num_threads(job.threads)
    network = copy.deepcopy(job.network)  # on the CPU the one that came is memory that all of the team share
    tell = words.send if rank == 0 else lambda _record: None
    meeting = job.folder / f"in-{job.accumulate}-parts"
    team = join(rank, job.settings.devices, meeting=meeting, device=job.device)
    about: dict[str, Any] = {"team": team, "accumulate": job.accumulate, "device": job.device, "on_epoch": tell}
    trained = learn(network, job.lesson, job.settings, **about, **job.place)
    return trained, {name: value.cpu().numpy() for name, value in network.state_dict().items()}


def _tell(error: Exception, words: Connection) -> None:
    try:
        ForkingPickler.loads(ForkingPickler.dumps(error))
        words.send(error)
    except Exception:  # what cannot travel as it is
        words.send(RuntimeError("\n".join([f"{type(error).__name__}: {error}", *error.__notes__])))


def _end_with_parent() -> NoReturn:
    parent = multiprocessing.parent_process()
    if parent is not None:
        wait([parent.sentinel])
    os._exit(1)


@contextmanager
def _may_have_children() -> Iterator[None]:
    """Let a daemonic process, such as a Dask worker, have children.

    multiprocessing forbids it, since nobody would end them; ours end with their parent by themselves.
    """
    about: dict[str, Any] = vars(multiprocessing.current_process())["_config"]
    before = about.get("daemon", False)
    about["daemon"] = False
    try:
        yield
    finally:
        about["daemon"] = before


def _once_each(on_epoch: Callable[[EpochRecord], None]) -> Callable[[EpochRecord], None]:
    """A team that began again tells of epochs that it has told of before."""
    told: set[int] = set()

    def tell(record: EpochRecord) -> None:
        if record.epoch not in told:
            told.add(record.epoch)
            on_epoch(record)

    return tell


def _visible_gpus(wanted: int) -> tuple[str, ...]:
    """As ``CUDA_VISIBLE_DEVICES`` takes them."""
    import torch

    count = torch.cuda.device_count()
    named = os.environ.get("CUDA_VISIBLE_DEVICES")
    gpus = tuple(map(str, range(count))) if named is None else tuple(named.split(","))[:count]
    if len(gpus) < wanted:
        raise ValueError(f"a network is to be learned on {wanted} GPUs, and {len(gpus)} are visible here")
    return gpus
