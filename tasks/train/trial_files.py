"""Finished trials of a search on disk: one JSON file a trial, each there completely or not at all.

Files hold numbers and text, nothing that could run. Two workers that do the same search write the same files.
"""

from __future__ import annotations

import os
from pathlib import Path

from pydantic import ValidationError

from storage.errors import StoreError
from tasks.train.search import TrialRecord


def write_trial(folder: Path, record: TrialRecord) -> None:
    """Write down a finished trial; the folder is made when missing."""
    folder.mkdir(parents=True, exist_ok=True)
    draft = folder / f".tmp-{record.number}-{os.getpid()}"
    with draft.open("wb") as file:
        file.write(record.model_dump_json(indent=1).encode())
        file.flush()
        os.fsync(file.fileno())
    draft.replace(_path(folder, record.number))


def read_trials(folder: Path) -> tuple[TrialRecord, ...]:
    """The first trials of a search, up to the first that was not finished.

    Raises
    ------
    StoreError
        When a file holds something else than its trial.
    """
    records: list[TrialRecord] = []
    while (path := _path(folder, len(records))).is_file():
        try:
            record = TrialRecord.model_validate_json(path.read_bytes())
        except ValidationError as error:
            raise StoreError(f"{path.name} holds no trial; delete the folder {folder.name} and run again") from error
        if record.number != len(records):
            raise StoreError(f"{path.name} holds trial {record.number}; delete the folder {folder.name} and run again")
        records.append(record)
    return tuple(records)


def _path(folder: Path, number: int) -> Path:
    return folder / f"trial-{number:05d}.json"
