"""A study: one TOML file, one block per stage."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, StringConstraints

from flows.study_file import load_toml_settings
from tasks.detect.settings import Settings as DetectSettings
from tasks.evaluate.settings import Settings as EvaluateSettings
from tasks.extract.settings import Settings as ExtractSettings
from tasks.ingest.settings import Settings as IngestSettings
from tasks.normalize.settings import Settings as NormalizeSettings
from tasks.report.settings import Settings as ReportSettings
from tasks.sample.settings import Settings as SampleSettings
from tasks.settings import StageSettings
from tasks.split.settings import Settings as SplitSettings
from tasks.train.settings import Settings as TrainSettings

Slug = Annotated[str, StringConstraints(pattern=r"^[a-z0-9][a-z0-9_-]{0,63}$")]


class StudySettings(StageSettings):
    """Everything that a study decides. Each block has defaults; ``[ingest.images]`` alone must be given."""

    name: Slug
    description: str = ""
    gpu: Literal["auto", "require", "off"] = Field(
        default="auto", description="What tasks that like a GPU do where there is none."
    )
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


def load_study(path: Path) -> StudySettings:
    """Read a study file. Raises ``StudyFileError`` that names line, key and the nearest valid key."""
    return load_toml_settings(path, StudySettings)
