"""No identifier of a patient gets past ingest: not into the store, not to the Prefect server, not onto the screen."""

from __future__ import annotations

import sqlite3
import zipfile
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pandas as pd
import pydicom
import pytest

if TYPE_CHECKING:
    from tests.flows.conftest import Ended, Night, Workplace

pytestmark = pytest.mark.server


@pytest.fixture(scope="module")
def secrets(workplace: Workplace) -> set[bytes]:
    """Every text that names a patient, every original UID, and the pseudonym key."""
    found = {text for patient in workplace.patients for text in patient.identifiers}
    for patient in workplace.patients:
        for path in (*patient.slice_files, patient.rtstruct_file):
            header = pydicom.dcmread(path, stop_before_pixels=True)
            found |= {str(header.SOPInstanceUID), str(header.SeriesInstanceUID), str(header.StudyInstanceUID)}
            found |= {str(header.get("FrameOfReferenceUID", "")), str(header.PatientName), str(header.PatientID)}
    found.add(workplace.env["LESIONFLOW_PSEUDONYM_KEY"])
    return {text.encode() for text in found if text}


@pytest.fixture(scope="module")
def bad_night(workplace: Workplace) -> Ended:
    """A run over files that are damaged in several ways, in folders that carry a patient's name."""
    return workplace.run(workplace.new("store"), bad_inbox(workplace))


def bad_inbox(workplace: Workplace) -> Path:
    inbox = workplace.inbox(0, 1, 2)
    for number, patient in enumerate(workplace.patients[:3]):
        (inbox / patient.folder.name).rename(inbox / f"{patient.patient_name} {patient.patient_id}")
        cut = (
            inbox / f"{patient.patient_name} {patient.patient_id}" / patient.slice_files[9].relative_to(patient.folder)
        )
        data = cut.read_bytes()
        cut.write_bytes([data[:4000], data[:1], data[:200] + bytes(400) + data[600:]][number])
    return inbox


def leaks(secrets: set[bytes], named: Iterable[tuple[str, bytes]]) -> list[tuple[str, bytes]]:
    """Each place that holds a secret, with the secret."""
    return [(name, secret) for name, content in named for secret in secrets if secret in content]


def contents(folder: Path) -> Iterator[tuple[str, bytes]]:
    """Name and bytes of every file, and what is inside of those that are compressed."""
    for path in sorted(folder.rglob("*")):
        yield path.name, path.name.encode()
        if not path.is_file() or path.is_symlink():
            continue
        yield path.name, path.read_bytes()
        if path.suffix == ".parquet":
            yield path.name, pd.read_parquet(path).to_csv().encode()
        elif path.suffix in (".npz", ".skops"):
            with zipfile.ZipFile(path) as archive:
                for name in archive.namelist():
                    yield f"{path.name} {name}", archive.read(name)
        elif path.suffix in (".sqlite", ".db"):
            with sqlite3.connect(f"file:{path}?mode=ro", uri=True) as database:
                yield f"{path.name} dump", "\n".join(database.iterdump()).encode()


def test_the_search_would_find_what_is_there(workplace: Workplace, secrets: set[bytes]) -> None:
    assert len(secrets) > 130
    found = {secret for _, secret in leaks(secrets, contents(workplace.folder / "cohort"))}
    assert found >= {patient.patient_id.encode() for patient in workplace.patients}


def test_every_case_of_a_bad_night_is_left_out_with_a_reason(bad_night: Ended) -> None:
    assert bad_night.code == 3, bad_night.said
    assert bad_night.summary["received"] == len(bad_night.summary["excluded"]) + bad_night.summary["analysed"] == 3
    assert bad_night.summary["excluded"]


def test_no_store_holds_an_identifier(
    workplace: Workplace, secrets: set[bytes], three: Ended, damaged: Ended, bad_night: Ended
) -> None:
    for run in (three, damaged, bad_night):
        assert run.store is not None
        assert leaks(secrets, contents(run.store)) == []


def test_server_database_logs_and_reports_hold_no_identifier(
    workplace: Workplace, secrets: set[bytes], three: Ended, damaged: Ended, bad_night: Ended
) -> None:
    for run in (three, damaged, bad_night):
        workplace.task_runs(run.summary["run"])  # the server has heard of all of them
    found = dict(contents(workplace.state))
    assert {"prefect.db dump", "prefect-server.log"} <= set(found)
    assert three.summary["run"].encode() in found["prefect.db dump"]
    assert leaks(secrets, found.items()) == []


def test_a_run_of_the_worker_leaves_no_identifier_in_database_logs_and_store(
    workplace: Workplace, night: Night, secrets: set[bytes]
) -> None:
    store, inbox = workplace.new("store"), bad_inbox(workplace)
    run = night.start_study(store, inbox)
    workplace.until_run(run, "COMPLETED", "FAILED", "CRASHED")
    workplace.task_runs(run)
    found = dict(contents(workplace.state))
    assert {"prefect.db dump", "prefect-server.log", "worker.log", "dask-cluster.log"} <= set(found)
    assert run.encode() in found["prefect.db dump"]
    assert (
        str(inbox).encode() in found["prefect.db dump"]
    )  # the operator's own words, and all that is told of the inbox
    assert b"Flow run 'study study'" in found["worker.log"]
    assert leaks(secrets, found.items()) == []
    assert leaks(secrets, contents(store)) == []


def test_no_command_says_an_identifier(
    workplace: Workplace, secrets: set[bytes], three: Ended, damaged: Ended, bad_night: Ended
) -> None:
    assert len(workplace.commands) >= 3
    said = ((command.output.parent.name, command.output.read_bytes()) for command in workplace.commands)
    assert leaks(secrets, said) == []
