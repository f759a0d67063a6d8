"""Which of the series of a study are the ones that the study file asks for, and why the others are not."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from fnmatch import fnmatchcase

from tasks.ingest.series_files import SeriesFiles, one_patient
from tasks.ingest.settings import ImageSelector, Settings


def _wanted(series: SeriesFiles, selector: ImageSelector) -> bool:
    """Whether a series is what a selector asks for, however many slices it has."""
    if series.modality != selector.modality or series.localizer:
        return False
    return selector.description is None or fnmatchcase(series.description.lower(), selector.description.lower())


def choose_images(series_list: Sequence[SeriesFiles], selectors: Mapping[str, ImageSelector]) -> dict[str, SeriesFiles]:
    """The best series for each selector that any series of the study matches."""
    chosen = {}
    for name, selector in selectors.items():
        matching = [series for series in series_list if _wanted(series, selector)]
        if matching:
            # Several frames in one file cannot be read yet: such a series is taken only where there is no other.
            chosen[name] = min(matching, key=lambda series: (series.multi_frame, -series.slices, series.digest))
    return chosen


def choose_structure_set(image: SeriesFiles, structure_sets: Sequence[SeriesFiles]) -> SeriesFiles | None:
    """The structure set of an image, narrowed to the one file that counts."""
    best = None
    for series in structure_sets:
        if not one_patient((series, image)):
            continue
        for file in series.files:
            refers = image.series_uid in file.references
            frames = {*file.reference_frames, series.frame_of_reference} - {""}
            if refers or image.frame_of_reference in frames:
                rank = (refers, file.made, file.digest)
                if best is None or rank > best[0]:
                    best = (rank, series.model_copy(update={"files": (file,)}))
    return None if best is None else best[1]


def why_set_aside(series: SeriesFiles, settings: Settings) -> str:
    """Why no case holds a series."""
    if series.modality == "RTSTRUCT":
        if settings.annotation is None:
            return "no annotation is asked for"
        return f"its contours are not the ones used for image '{settings.annotation.image}'"
    same_modality = [selector for selector in settings.images.values() if selector.modality == series.modality]
    if not same_modality:
        return f"no image of modality {series.modality or 'unknown'} is asked for"
    if series.localizer:
        return "a localizer"
    if not any(_wanted(series, selector) for selector in same_modality):
        return "its description matches no image that is asked for"
    if series.multi_frame:
        return "several frames in one file are not supported yet; another series of the study was taken"
    return "another series of the study has more slices"
