"""A study: one TOML file, one block per stage."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, StringConstraints

from flows.study_file import load_toml_settings, read_key
from tasks.detect.settings import Settings as DetectSettings
from tasks.evaluate.picture_settings import Settings as PictureEvaluateSettings
from tasks.evaluate.settings import Settings as EvaluateSettings
from tasks.extract.settings import Settings as ExtractSettings
from tasks.ingest.picture_settings import PictureSettings as PictureIngestSettings
from tasks.ingest.settings import Settings as IngestSettings
from tasks.normalize.pictures import PictureSettings as PictureNormalizeSettings
from tasks.normalize.settings import Settings as NormalizeSettings
from tasks.report.picture_settings import Settings as PictureReportSettings
from tasks.report.settings import Settings as ReportSettings
from tasks.sample.settings import Settings as SampleSettings
from tasks.settings import StageSettings
from tasks.split.picture_folds import PictureSplit as PictureSplitSettings
from tasks.split.settings import Settings as SplitSettings
from tasks.train.network_settings import NetworkSettings
from tasks.train.settings import Settings as TrainSettings

Slug = Annotated[str, StringConstraints(pattern=r"^[a-z0-9][a-z0-9_-]{0,63}$")]


class AnyStudy(StageSettings):
    """What every study has."""

    name: Slug
    description: str = ""
    gpu: Literal["auto", "require", "off"] = Field(
        default="auto", description="What tasks that like a GPU do where there is none."
    )


class StudySettings(AnyStudy):
    """A study of volumes. Each block has defaults; ``[ingest.images]`` alone must be given."""

    kind: Literal["volumes"] = "volumes"
    ingest: IngestSettings
    split: SplitSettings = SplitSettings()
    normalize: NormalizeSettings = NormalizeSettings()
    sample: SampleSettings = SampleSettings()
    extract: ExtractSettings = ExtractSettings()
    train: TrainSettings = TrainSettings()
    detect: DetectSettings = DetectSettings()
    evaluate: EvaluateSettings = EvaluateSettings()
    report: ReportSettings = ReportSettings()

    @property
    def image(self) -> str:
        """The image that is searched for lesions: the annotated one, else the first."""
        return self.ingest.annotation.image if self.ingest.annotation else next(iter(self.ingest.images))


class PictureStudySettings(AnyStudy):
    """A study of pictures that lie in one folder per class: ``kind = "pictures"``."""

    kind: Literal["pictures"]
    ingest: PictureIngestSettings = PictureIngestSettings()
    split: PictureSplitSettings = PictureSplitSettings()
    normalize: PictureNormalizeSettings = PictureNormalizeSettings()
    train: NetworkSettings = NetworkSettings()
    evaluate: PictureEvaluateSettings = PictureEvaluateSettings()
    report: PictureReportSettings = PictureReportSettings()


def load_study(path: Path) -> StudySettings | PictureStudySettings:
    """Read a study file. Raises ``StudyFileError`` that names line, key and the nearest valid key."""
    if read_key(path, "kind") == "pictures":
        return load_toml_settings(path, PictureStudySettings)
    return load_toml_settings(path, StudySettings)
