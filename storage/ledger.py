"""The ledger: every case received, its state at every stage, and why it was excluded.

A SQLite file in the store by default, PostgreSQL by URL. Only the driver writes it. What the artifacts' commit markers
know can be rebuilt from them (:func:`rebuild`); what only runs know (who was received when) is kept by the runs'
summaries in the store.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from sqlalchemy import Engine, ForeignKey, create_engine, delete, event, func, select
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, mapped_column

from storage.artifacts import Artifact


class _Base(DeclarativeBase):
    pass


class Run(_Base):
    """One run of a study."""

    __tablename__ = "runs"

    id: Mapped[str] = mapped_column(primary_key=True)
    study: Mapped[str]
    state: Mapped[str]
    started: Mapped[datetime]
    ended: Mapped[datetime | None]
    summary: Mapped[str | None]


class Entry(_Base):
    """What one run saw of one piece of work: a case at a stage, or the cohort at a stage."""

    __tablename__ = "entries"

    run: Mapped[str] = mapped_column(ForeignKey("runs.id"), primary_key=True)
    stage: Mapped[str] = mapped_column(primary_key=True)
    subject: Mapped[str] = mapped_column(primary_key=True)
    state: Mapped[str]
    key: Mapped[str]
    reason: Mapped[str | None]
    seconds: Mapped[float]


@dataclass(frozen=True)
class Line:
    """A row of the ledger as its readers see it."""

    run: str
    study: str
    stage: str
    subject: str
    state: str
    key: str
    reason: str | None
    seconds: float


@dataclass(frozen=True)
class Ended:
    """How one piece of work ended: ``state`` is ``computed``, ``cached``, ``excluded`` or ``failed``."""

    stage: str
    subject: str
    state: str
    key: str
    reason: str | None
    seconds: float


class Ledger:
    """The ledger of one store.

    Parameters
    ----------
    url
        SQLAlchemy URL; see :func:`ledger_url` for the default.
    """

    def __init__(self, url: str) -> None:
        self.engine = create_engine(url)
        if self.engine.dialect.name == "sqlite":
            _survive_a_kill(self.engine)
        _Base.metadata.create_all(self.engine)

    def begin(self, run: str, study: str) -> None:
        """Note that a run began; a run that is retried begins again under its own name."""
        with self._session() as session:
            session.merge(Run(id=run, study=study, state="running", started=_now(), ended=None, summary=None))

    def record(self, run: str, *ended: Ended) -> None:
        """Note how pieces of work ended, in one transaction."""
        with self._session() as session:
            for one in ended:
                session.merge(Entry(run=run, **asdict(one)))

    def finish(self, run: str, state: str, summary: dict[str, Any] | None = None) -> None:
        """Note how a run ended: ``done``, ``failed``, ``cancelled`` or ``crashed``."""
        with self._session() as session:
            found = session.get(Run, run)
            if found is not None:
                found.state, found.ended = state, _now()
                found.summary = None if summary is None else json.dumps(summary)

    def forget(self, run: str) -> None:
        """Drop the entries of a run."""
        with self._session() as session:
            session.execute(delete(Entry).where(Entry.run == run))

    def runs(self, study: str | None = None) -> list[Run]:
        """Runs, newest first."""
        query = select(Run).order_by(Run.started.desc())
        with self._session() as session:
            return list(session.scalars(query if study is None else query.where(Run.study == study)))

    def lines(self, run: str | None = None) -> list[Line]:
        """Entries of one run, or of all, in the order of runs, stages and subjects."""
        query = select(Entry, Run.study).join(Run).order_by(Run.started, Entry.stage, Entry.subject)
        with self._session() as session:
            rows = session.execute(query if run is None else query.where(Entry.run == run)).all()
            return [Line(e.run, study, e.stage, e.subject, e.state, e.key, e.reason, e.seconds) for e, study in rows]

    def mean_seconds(self) -> dict[str, float]:
        """Mean cost of a computed piece of work by stage, over all runs: an estimate of the time left starts here."""
        query = select(Entry.stage, func.avg(Entry.seconds)).where(Entry.state == "computed").group_by(Entry.stage)
        with self._session() as session:
            return {stage: float(mean) for stage, mean in session.execute(query)}

    @contextmanager
    def _session(self) -> Iterator[Session]:
        with Session(self.engine, expire_on_commit=False) as session, session.begin():
            yield session


def ledger_url(store_root: Path) -> str:
    """The default ledger: a SQLite file in the store."""
    return f"sqlite:///{store_root / 'ledger.sqlite'}"


def rebuild(ledger: Ledger, artifacts: Iterable[Artifact]) -> int:
    """Fill a ledger from commit markers, as one run named ``rebuilt``. Returns the number of entries.

    What an earlier rebuild noted is forgotten: artifacts may have gone since.
    """
    ledger.forget("rebuilt")
    ledger.begin("rebuilt", "all")
    ended = [
        Ended(
            stage=commit.stage,
            subject=f"{commit.subject} {commit.key[:12]}",
            state="excluded" if commit.verdict else "computed",
            key=commit.key,
            reason=commit.verdict,
            seconds=commit.seconds,
        )
        for commit in (artifact.commit for artifact in artifacts)
    ]
    ledger.record("rebuilt", *ended)
    ledger.finish("rebuilt", "done")
    return len(ended)


def _survive_a_kill(engine: Engine) -> None:
    @event.listens_for(engine, "connect")
    def _(connection: Any, _record: Any) -> None:
        connection.execute("PRAGMA journal_mode=WAL")
        connection.execute("PRAGMA synchronous=NORMAL")  # what a power cut takes can be rebuilt
        connection.execute("PRAGMA busy_timeout=10000")


def _now() -> datetime:
    return datetime.now(UTC)
