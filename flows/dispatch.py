"""Sends pieces of work where they belong and keeps the books: what was a hit, computed, excluded, and why.

A flow says *what* follows what; this file says *how* a stage is done. Hits are settled here in the driver, which costs
a few milliseconds instead of a trip to a worker, and a night without news starts no cluster at all.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, TypeVar

import dask
from distributed import KilledWorker, as_completed
from prefect.client.schemas.objects import State
from prefect.context import FlowRunContext
from prefect_dask import DaskTaskRunner

from flows.cluster import check_labels
from flows.progress import RunProgress
from flows.summary import Exclusion, StageCount
from storage.artifacts import ArtifactStore
from storage.case import Batch, Case
from storage.ledger import Ended, Ledger
from tasks.task import GPU, Outcome, StageTask, Work, hand_over, outcome_of

S = TypeVar("S", Case, Batch)


class StageFailedError(RuntimeError):
    """A stage of the whole cohort failed, so that nothing can follow it."""


@dataclass
class Dispatch:
    """The books of one run.

    Attributes
    ----------
    label_of
        Dask label by what a task needs, e.g. ``{"cpu": "CPU", "gpu": "GPU"}``; with ``gpu = "auto"`` and no GPU, both
        are ``"CPU"``.
    """

    run: str
    store: ArtifactStore
    ledger: Ledger
    progress: RunProgress
    label_of: dict[str, str]
    exclusions: list[Exclusion] = field(default_factory=list)
    counts: dict[str, StageCount] = field(default_factory=dict)
    on_cluster_start: Callable[[list[int]], None] = lambda _pids: None
    _cluster_ready: bool = False
    _counted: set[tuple[str, str]] = field(default_factory=set)

    def each(self, subjects: Sequence[S], task: StageTask, plan: Callable[[S], Work]) -> list[S]:
        """Do a stage for every case, or batch of them.

        Returns those that came through, in the same order, with the new key.
        """
        through: list[S] = []
        for subject, outcome in zip(subjects, self.all(task, [plan(one) for one in subjects]), strict=True):
            reason = outcome.verdict or outcome.failure
            if reason is None:
                through.append(subject.with_key(outcome.stage, outcome.key))
            else:
                self._exclude(outcome.stage, {case.id: reason for case in subject.members})
        return through

    def exclude(self, stage: str, key: str, reasons: Mapping[str, str]) -> None:
        """Take single cases of a batch out of the run, each with the reason that the batch's artifact gives."""
        self._exclude(stage, reasons)
        self.ledger.record(
            self.run, *(Ended(stage, case, "excluded", key, reason, 0.0) for case, reason in reasons.items())
        )

    def one(self, task: StageTask, work: Work) -> str:
        """Do a stage of the whole cohort. Returns its key; raises ``StageFailedError`` when it fails."""
        return self.keys(task, [work])[0]

    def keys(self, task: StageTask, works: Sequence[Work]) -> list[str]:
        """Do pieces of work of the whole cohort. Returns their keys; raises ``StageFailedError`` when one fails."""
        outcomes = self.all(task, works)
        for outcome in outcomes:
            if outcome.verdict or outcome.failure:
                raise StageFailedError(f"{outcome.stage} {outcome.subject}: {outcome.verdict or outcome.failure}")
        return [outcome.key for outcome in outcomes]

    def all(self, task: StageTask, works: Sequence[Work]) -> list[Outcome]:
        """Do pieces of work, on the cluster where the store has no answer. Outcomes come in the order of the works."""
        if works:
            self.progress.begin(works[0].stage, len(works))
        outcomes: dict[str, Outcome] = {}
        found = {work.key: self.store.find(work.stage, work.key) for work in works}
        futures = self._submit(task, [work for work in works if found[work.key] is None])
        for work in works:
            if hit := found[work.key]:
                task(*hand_over(work, self.store), return_state=True)  # the dashboard shows it as Cached
                outcomes[work.key] = replace(outcome_of(hit, cached=True), subject=work.subject)
        self._book(*((work, outcomes[work.key]) for work in works if work.key in outcomes))
        for work, state in _as_they_end(futures):
            outcomes[work.key] = _outcome(work, state)
            self._book((work, outcomes[work.key]))
        return [outcomes[work.key] for work in works]

    def _exclude(self, stage: str, reasons: Mapping[str, str]) -> None:
        self.exclusions += [Exclusion(case=case, stage=stage, reason=reason) for case, reason in reasons.items()]

    def _submit(self, task: StageTask, works: Sequence[Work]) -> list[tuple[Work, Any]]:
        if not works:
            return []
        label = self.label_of["gpu" if GPU in task.tags else "cpu"]
        self._start_cluster()
        futures = []
        for work in works:
            with dask.annotate(resources={label: work.devices if label == "GPU" else 1}):
                futures.append((work, task.submit(*hand_over(work, self.store))))
        return futures

    def _start_cluster(self) -> None:
        if self._cluster_ready:
            return
        context = FlowRunContext.get()
        if context is None or not isinstance(context.task_runner, DaskTaskRunner):
            raise RuntimeError("work is dispatched from within a flow whose task runner is Dask's")
        client = context.task_runner.client
        check_labels(client, set(self.label_of.values()))
        workers = client.run(_process_id)
        self.on_cluster_start(sorted(workers.values()))
        self._cluster_ready = True

    def _book(self, *ended: tuple[Work, Outcome]) -> None:
        for work, outcome in ended:
            count = self.counts.setdefault(outcome.stage, StageCount())
            state = _state(outcome)
            if (again := (outcome.stage, work.subject)) not in self._counted:  # once per case, not once per model
                setattr(count, state, getattr(count, state) + work.cases)
            self._counted.add(again)
            if not outcome.cached:
                count.seconds = round(count.seconds + outcome.seconds, 3)
            self.progress.advance(outcome.stage, cached=outcome.cached, seconds=outcome.seconds)
        self.ledger.record(
            self.run,
            *(
                Ended(
                    stage=outcome.stage,
                    subject=outcome.subject,
                    state="excluded" if outcome.verdict else _state(outcome),
                    key=outcome.key,
                    reason=outcome.verdict or outcome.failure,
                    seconds=outcome.seconds,
                )
                for _, outcome in ended
            ),
        )


def _state(outcome: Outcome) -> str:
    return "failed" if outcome.failure else "cached" if outcome.cached else "computed"


def _as_they_end(futures: Iterable[tuple[Work, Any]]) -> Iterable[tuple[Work, State[Outcome] | Exception]]:
    by_future = {future.wrapped_future: (work, future) for work, future in futures}
    if not by_future:
        return
    for ended in as_completed(by_future, loop=next(iter(by_future)).client.loop):
        work, _ = by_future[ended]
        try:
            yield work, ended.result()
        except KilledWorker:
            yield work, RuntimeError("the worker process died repeatedly (most often: out of memory)")
        except Exception as error:
            yield work, error


def _outcome(work: Work, state: Any) -> Outcome:
    if isinstance(state, Exception):
        return _failed(work, f"{type(state).__name__}: {state}")
    if state.is_completed():
        outcome: Outcome = state.result()
        return outcome
    return _failed(work, state.message or f"the task ended as {state.name}")


def _failed(work: Work, reason: str) -> Outcome:
    return Outcome(work.stage, work.key, work.subject, False, 0.0, failure=reason)


def _process_id() -> int:
    return os.getpid()
