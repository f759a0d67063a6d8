"""What every stage's ``task.py`` shares: how one piece of work meets the store and Prefect.

- :class:`Stage` knows what a stage is made of, and plans a :class:`Work`: one piece of work with the key of its result.
- :func:`stage_task` turns a function that fills a folder into a Prefect task that asks the store first. A hit ends in
  the state
  *Cached*; a :class:`~storage.errors.CaseError` becomes a stored verdict and the state *Excluded*; anything else that
  is raised fails the task, is not stored, and is tried again by the next run.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from prefect import Task, task
from prefect.client.schemas.objects import State
from prefect.states import Completed

from storage.artifacts import Artifact, ArtifactStore
from storage.errors import CaseError
from storage.keys import canonical_json, digest
from storage.provenance import library_versions, source_digest
from tasks.freed_memory import give_back_freed
from tasks.settings import StageSettings


@dataclass(frozen=True)
class Work:
    """One piece of work.

    Attributes
    ----------
    stage, key, subject
        The artifact it makes, and what it is about: a case pseudonym, ``"cohort"``, ``"fold 3"``.
    inputs
        What the key covers beside settings and source: keys of artifacts, digests.
    settings
        The stage's settings.
    carried
        What the work needs but the key must not see, e.g. where the files are today. Never stored, never logged.
    cases
        How many cases it is about, as the run summary counts them; a stage of the whole cohort counts 1.
    devices
        GPUs that it takes where it is done on GPUs.
    """

    stage: str
    key: str
    subject: str
    inputs: dict[str, Any]
    settings: StageSettings
    source: str
    versions: dict[str, str]
    carried: Any = field(default=None, repr=False)
    cases: int = 1
    devices: int = 1


@dataclass(frozen=True)
class Outcome:
    """How a piece of work ended: in the store, with a verdict why the case cannot be used, or failed."""

    stage: str
    key: str
    subject: str
    cached: bool
    seconds: float
    verdict: str | None = None
    failure: str | None = None


@dataclass(frozen=True)
class Stage:
    """A stage as the key sees it: its name, its source (and all of ours that it imports), and its numeric libraries."""

    name: str
    libraries: tuple[str, ...]
    places: tuple[str, ...] = ()

    @property
    def sources(self) -> tuple[str, ...]:
        """Modules and folders that it begins with; what these import belongs to it too."""
        return self.places or (f"tasks.{self.name}.task",)

    def standing_on(self, modules: Iterable[str]) -> Stage:
        """The same stage, whose source includes these modules too: parts that the settings name."""
        return replace(self, places=(*self.sources, *modules))

    def plan(
        self,
        settings: StageSettings,
        *,
        subject: str,
        inputs: dict[str, Any],
        carried: Any = None,
        cases: int = 1,
        devices: int = 1,
    ) -> Work:
        """The work that makes this stage's artifact from these inputs, with the key of the result."""
        source = source_digest(*self.sources)
        versions = library_versions(*self.libraries)
        key = digest([self.name, source, versions, settings, inputs])
        return Work(self.name, key, subject, inputs, settings, source, versions, carried, cases, devices)


GPU = "gpu"
"""Tag of the tasks that belong on a GPU."""

Fill = Callable[[Work, ArtifactStore, Path], None]
"""Fills the folder of an artifact: ``fill(work, store, folder)``."""

StageTask = Task[["Sealed", str, str], State[Outcome]]


def stage_task(name: str, *, gpu: bool = False) -> Callable[[Fill], StageTask]:
    """Make a Prefect task from a function that fills a folder; :func:`hand_over` makes its arguments.

    ``gpu`` sends it to a worker with a GPU. It is the only tag, since Prefect asks its server about every tag of every
    task run. Task results are small and kept by the store, so Prefect persists none.
    """

    def decorate(fill: Fill) -> StageTask:
        def run(sealed: Sealed, store: str, subject: str) -> State[Outcome]:  # noqa: ARG001 - for the name of the run
            return _as_state(carry_out(sealed.work, ArtifactStore(store), fill))

        run.__doc__ = fill.__doc__
        run.__module__, run.__qualname__, run.__name__ = fill.__module__, fill.__qualname__, fill.__name__
        tags = {GPU} if gpu else None
        return task(name=name, task_run_name=name + " {subject}", tags=tags, persist_result=False)(run)

    return decorate


class Sealed:
    """A piece of work that neither Prefect nor Dask looks into: they would search it for futures, at 0.1 s a task."""

    def __init__(self, work: Work) -> None:
        self.work = work

    def __dask_tokenize__(self) -> str:
        return self.work.key


def hand_over(work: Work, store: ArtifactStore) -> tuple[Sealed, str, str]:
    """The arguments of a stage's task; the subject names the run in the dashboard."""
    return Sealed(work), str(store.root), work.subject


def carry_out(work: Work, store: ArtifactStore, fill: Fill) -> Outcome:
    """Do the work unless the store has it; store a verdict where the case is at fault."""
    found = store.find(work.stage, work.key)
    if found is not None:
        return outcome_of(found, cached=True)
    started = time.perf_counter()
    marks: dict[str, Any] = {
        "stage": work.stage,
        "key": work.key,
        "subject": work.subject,
        "settings": work.settings.model_dump(mode="json"),
        "inputs": work.inputs,
        "source": work.source,
        "versions": work.versions,
    }
    canonical_json(marks)  # refuse what could not be read back before any time is spent
    verdict: str | None = None
    try:
        with store.write(**marks) as folder:
            fill(work, store, folder)
    except CaseError as error:
        verdict = str(error)
        with store.write(**marks, verdict=verdict):
            pass
    finally:
        give_back_freed()
    return Outcome(work.stage, work.key, work.subject, False, round(time.perf_counter() - started, 3), verdict)


def outcome_of(artifact: Artifact, *, cached: bool) -> Outcome:
    """The outcome that a committed artifact stands for."""
    commit = artifact.commit
    return Outcome(commit.stage, commit.key, commit.subject, cached, commit.seconds, commit.verdict)


def _as_state(outcome: Outcome) -> State[Outcome]:
    """What the dashboard shows and Prefect logs, in one line: how it ended, and what it cost."""
    name = "Excluded" if outcome.verdict else "Cached" if outcome.cached else "Completed"
    cost = "from the store" if outcome.cached else f"in {outcome.seconds:.1f} s"
    return Completed(name=name, message=outcome.verdict or f"{outcome.stage}/{outcome.key[:12]} {cost}", data=outcome)
