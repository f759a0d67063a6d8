"""A study: one TOML file, one block per stage."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import Field, StringConstraints, model_validator

from flows.study_file import load_toml_settings, read_key
from tasks.detect.segmentation_settings import SegmentationSettings as SegmentationDetectSettings
from tasks.detect.settings import Settings as DetectSettings
from tasks.evaluate.picture_settings import Settings as PictureEvaluateSettings
from tasks.evaluate.segmentation_settings import SegmentationSettings as SegmentationEvaluateSettings
from tasks.evaluate.settings import Settings as EvaluateSettings
from tasks.extract.picture_settings import PictureSettings as PictureExtractSettings
from tasks.extract.settings import Settings as ExtractSettings
from tasks.ingest.picture_settings import PictureSettings as PictureIngestSettings
from tasks.ingest.segmentation_settings import SegmentationSettings as SegmentationIngestSettings
from tasks.ingest.settings import Settings as IngestSettings
from tasks.normalize.pictures import PictureSettings as PictureNormalizeSettings
from tasks.normalize.settings import Settings as NormalizeSettings
from tasks.report.picture_settings import Settings as PictureReportSettings
from tasks.report.segmentation_settings import SegmentationSettings as SegmentationReportSettings
from tasks.report.settings import Settings as ReportSettings
from tasks.sample.settings import Settings as SampleSettings
from tasks.settings import StageSettings
from tasks.split.picture_folds import PictureSplit as PictureSplitSettings
from tasks.split.settings import Settings as SplitSettings
from tasks.train.picture_settings import PictureTrainSettings
from tasks.train.segmentation_settings import SegmentationSettings as SegmentationTrainSettings
from tasks.train.settings import Settings as TrainSettings

Slug = Annotated[str, StringConstraints(pattern=r"^[a-z0-9][a-z0-9_-]{0,63}$")]


class AnyStudy(StageSettings):
    """What every study has."""

    name: Slug
    description: str = ""
    gpu: Literal["auto", "require", "off"] = Field(
        default="auto", description="What tasks that like a GPU do where there is none."
    )
    intended_use: str = Field(
        default="Research, on images like those that it learned from. Not a medical device.",
        description="What the model's card says it is for.",
    )
    limits: tuple[str, ...] = Field(default=(), description="What its card warns of, a sentence each.")

    @property
    def devices(self) -> int:
        """GPUs that learn one network together, at most."""
        return 1


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
    def devices(self) -> int:
        """GPUs that learn one network together, at most."""
        return max((entry.devices for entry in self.train.on_patches), default=1)

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
    extract: PictureExtractSettings = PictureExtractSettings()
    train: PictureTrainSettings = PictureTrainSettings()
    evaluate: PictureEvaluateSettings = PictureEvaluateSettings()
    report: PictureReportSettings = PictureReportSettings()

    @property
    def devices(self) -> int:
        """GPUs that learn one network together, at most."""
        networks = filter(self.train.is_network, self.train.models)
        return max((self.train.network(name).devices for name in networks), default=1)

    @model_validator(mode="after")
    def _models_see_what_is_computed(self) -> Self:
        if lacking := sorted(set(self.train.families) - set(self.extract.computed)):
            raise ValueError(f"train.families names {', '.join(lacking)}: name it in extract.families too")
        return self


class SegmentationStudySettings(AnyStudy):
    """A study of volumes with label maps: ``kind = "segmentation"``. ``[ingest.structures]`` alone must be given."""

    kind: Literal["segmentation"]
    ingest: SegmentationIngestSettings
    split: SplitSettings = SplitSettings()
    normalize: NormalizeSettings = NormalizeSettings()
    train: SegmentationTrainSettings = SegmentationTrainSettings()
    detect: SegmentationDetectSettings = SegmentationDetectSettings()
    evaluate: SegmentationEvaluateSettings = SegmentationEvaluateSettings()
    report: SegmentationReportSettings = SegmentationReportSettings()

    @property
    def devices(self) -> int:
        """GPUs that learn one network together."""
        return self.train.engine.devices


def load_study(path: Path) -> StudySettings | PictureStudySettings | SegmentationStudySettings:
    """Read a study file. Raises ``StudyFileError`` that names line, key and the nearest valid key."""
    kind = read_key(path, "kind")
    if kind == "pictures":
        return load_toml_settings(path, PictureStudySettings)
    if kind == "segmentation":
        return load_toml_settings(path, SegmentationStudySettings)
    return load_toml_settings(path, StudySettings)
