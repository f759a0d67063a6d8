"""The stages ``ingest`` and ``annotate`` for pictures: a bucket of them is one artifact, their classes are another.

As in `tasks.ingest.task`, files are known by path, and paths may name patients: nothing of them leaves this file.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np
import numpy.typing as npt
from prefect import task

from storage.artifacts import ArtifactStore
from storage.case import Batch, Case
from storage.errors import CaseError
from tasks.ingest.anonymous import anonymous_errors
from tasks.ingest.deidentify import Pseudonyms
from tasks.ingest.picture_arrays import PictureArrays, read_arrays
from tasks.ingest.picture_file import read_picture
from tasks.ingest.picture_settings import PictureSettings
from tasks.ingest.pictures import FoundPicture, PictureInbox, bucket_of, scan_pictures
from tasks.settings import NoSettings
from tasks.task import Stage, Work, stage_task

LIBRARIES = ("numpy", "pandas", "pillow", "pyarrow", "zarr")
STAGE = Stage("ingest", libraries=LIBRARIES, places=("tasks.ingest.picture_task",))
ANNOTATE = Stage("annotate", libraries=LIBRARIES, places=("tasks.ingest.picture_task",))


@dataclass(frozen=True)
class ReceivedPictures:
    """What lies in the inbox: the buckets, the file of each case, and what became of everything else."""

    batches: list[Batch]
    files: Mapping[str, FoundPicture]
    inbox: PictureInbox

    @property
    def cases(self) -> list[Case]:
        """All cases, by digest."""
        return sorted((case for batch in self.batches for case in batch.members), key=lambda case: case.digest)


@task(name="scan inbox", task_run_name="scan inbox", persist_result=False)
def receive(data: str, settings: PictureSettings, quiet_seconds: float, key: bytes) -> ReceivedPictures:
    """Look at every file of the inbox and put the pictures into their buckets."""
    pseudonyms = Pseudonyms(key)
    with anonymous_errors():
        inbox = scan_pictures(Path(data), classes=settings.classes, pseudonyms=pseudonyms, quiet_seconds=quiet_seconds)
    buckets: dict[int, list[Case]] = {}
    files: dict[str, FoundPicture] = {}
    for found in inbox.pictures:
        name, patient = pseudonyms.picture(found.digest)
        files[name] = found
        case = Case(id=name, patient=patient, digest=found.digest)
        buckets.setdefault(bucket_of(found.digest, settings.buckets), []).append(case)
    batches = [Batch(id=f"bucket {number:02d}", members=tuple(buckets[number])) for number in sorted(buckets)]
    return ReceivedPictures(batches, files, inbox)


def plan_ingest(batch: Batch, received: ReceivedPictures, key: bytes) -> Work:
    """Decoding the pictures of a bucket."""
    inputs = {"pictures": [case.digest for case in batch.members], "pseudonym_key": Pseudonyms(key).fingerprint}
    carried = [(case, received.files[case.id].path, received.files[case.id].row) for case in batch.members]
    return STAGE.plan(NoSettings(), subject=batch.id, inputs=inputs, carried=carried, cases=len(batch.members))


def plan_annotate(batch: Batch, received: ReceivedPictures) -> Work:
    """Noting the classes of a bucket's pictures: the names of the folders that they lie in, or of their labels."""
    classes = {case.id: received.files[case.id].class_name for case in batch.members}
    inputs = {"ingest": batch.keys["ingest"], "classes": classes}
    return ANNOTATE.plan(NoSettings(), subject=batch.id, inputs=inputs, cases=len(batch.members))


@stage_task("ingest")
def ingest_bucket(work: Work, _store: ArtifactStore, folder: Path) -> None:
    """Decode the pictures; one that cannot be is left out, and ``facts.json`` says why."""
    from tasks.imaging.picture_files import StoredPicture, write_pictures
    from tasks.imaging.synthetic_mark import bears_mark

    problems: dict[str, str] = {}
    arrays = cache(read_arrays)  # of all pictures in a file of arrays, which is read once

    def decoded() -> Iterator[StoredPicture]:
        for case, path, row in work.carried:
            try:
                with anonymous_errors("picture"):
                    pixels = read_picture(path).pixels if row is None else _of_row(arrays(path), row, case.digest)
                if bears_mark(pixels):
                    raise CaseError("the picture is synthetic: a model made it, and it bears the mark of these")
            except CaseError as error:
                problems[case.id] = str(error)
            else:
                yield StoredPicture(case.digest, case.id, case.patient, pixels)

    write_pictures(folder, decoded())
    (folder / "facts.json").write_text(json.dumps({"problems": problems}, indent=1, sort_keys=True))


def _of_row(arrays: PictureArrays, row: int, digest: str) -> npt.NDArray[np.uint8]:
    if row >= len(arrays.labels) or arrays.digest(row) != digest:
        # No fault of the picture, whose key would keep the verdict: the next run looks again.
        raise RuntimeError("the file of arrays has changed since it was looked at; run again")
    return arrays.pixels(row)


@stage_task("annotate")
def annotate_bucket(work: Work, _store: ArtifactStore, folder: Path) -> None:
    """Write the class of each picture, ``null`` where nobody says one."""
    (folder / "classes.json").write_text(json.dumps(work.inputs["classes"], indent=1, sort_keys=True))


def problems_of(folder: Path) -> dict[str, str]:
    """Why pictures of an ingest artifact were left out, by case."""
    problems: dict[str, str] = json.loads((folder / "facts.json").read_text())["problems"]
    return problems
