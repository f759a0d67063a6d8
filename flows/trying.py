"""The steps of normalize tried on one case that is in the store, without leaving anything there."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from flows.looking_up import newest, subject_named
from flows.settings import StudySettings, load_study
from storage.artifacts import ArtifactStore
from storage.errors import CaseError, StoreError
from tasks.normalize.settings import Settings

if TYPE_CHECKING:
    from storage.volume import Volume
    from tasks.normalize.chain import Done


@dataclass
class Tried:
    """What came of it: the steps that were done, and why the next one was not, where there is a ``fault``."""

    case: str
    image: str
    part: str = ""
    chain: list[Done] = field(default_factory=list)
    fault: str | None = None


def try_steps(store: ArtifactStore, case: str, study: Path | None = None) -> Tried:
    """Do the steps of a study file, or those of the case's last run, on the case's image.

    Parameters
    ----------
    case
        Pseudonym, or how it begins.
    study
        Study file; ``None`` takes settings and all that was learnt from the last normalization of the case.

    Raises
    ------
    StoreError
        When the store has not exactly one such case, or was never asked to normalize it and no study is given.
    """
    from tasks.normalize.chain import each_step
    from tasks.normalize.usual import steps_of

    subject = subject_named(store, case)
    last = newest(store, "normalize").get(subject)
    if study is not None:
        settings, image = _of_study(study)
    elif last is not None:
        settings, image = Settings.model_validate(last.commit.settings), last.commit.inputs["image"]
    else:
        raise StoreError(f"{subject} was not normalized yet: give the study file with --study")
    ingested = store.find("ingest", last.commit.inputs["ingest"]) if last else newest(store, "ingest").get(subject)
    if ingested is None:
        raise StoreError(f"the ingested images of {subject} are no longer in the store: run the study again")
    volume, part = _opened(ingested.folder / f"{image}.zarr")
    alike = last is not None and Settings.model_validate(last.commit.settings) == settings
    fitted = last.commit.inputs.get("fitted") if last and alike else None
    if settings.learner is not None and fitted is None:
        raise StoreError(f"'{settings.learner.name}' learns from other images: run the study with these steps first")
    tried = Tried(subject, image, part)
    try:
        for done in each_step(volume, steps_of(settings, volume.unit), fitted):
            tried.chain.append(done)
    except CaseError as error:
        tried.fault = str(error)
    return tried


def _of_study(study: Path) -> tuple[Settings, str]:
    loaded = load_study(study)
    if not isinstance(loaded, StudySettings):
        raise StoreError(f"{study} is a study of {loaded.kind}; this command is for volumes")
    return loaded.normalize, loaded.image


def _opened(path: Path) -> tuple[Volume, str]:
    """The image, or the middle of one that is too large to be worked on in one piece, and a word on that."""
    from storage.ome_zarr import open_volume
    from tasks.normalize.slabs import LARGEST_WHOLE

    stored = open_volume(path)
    slices = max(1, LARGEST_WHOLE // (stored.shape[1] * stored.shape[2]))
    if slices >= stored.shape[0]:
        return stored.read(), ""
    start = (stored.shape[0] - slices) // 2
    whole = stored.in_blocks()
    cut = whole.crop((start, 0, 0), (start + slices, *stored.shape[1:]))
    return cut.with_array(cut.array.compute()), f" · slices {start} to {start + slices - 1}"  # type: ignore[attr-defined]
