"""Settings of the training engine: what every network that learns by gradients has in common."""

from __future__ import annotations

from typing import Literal, Self

from pydantic import Field, model_validator

from tasks.settings import StageSettings


class EngineSettings(StageSettings):
    """How long, how fast and how exactly a network learns. What it learns from is a `Lesson`'s matter.

    Epochs count the training of one phase; a *step* is one change of the weights, made of ``batch`` rows.
    """

    epochs: int = Field(default=64, ge=1)
    batch: int = Field(default=32, ge=1, description="Rows in each step.")
    accumulate: int = Field(
        default=1,
        ge=1,
        description="Parts in which a step is computed, one after the other: 2 takes half the memory. The same result "
        "but for rounding, and for layers that look at the whole part (batch normalization) or draw in it (dropout).",
    )
    learning_rate: float = Field(default=1e-3, gt=0, description="The highest, reached after the warm-up.")
    warm_up: float = Field(
        default=0.1, ge=0, lt=1, description="Part of the steps in which the learning rate rises; it falls as a cosine."
    )
    weight_decay: float = Field(default=0.05, ge=0, description="Decoupled, as AdamW has it (arXiv:1711.05101).")
    gradient_norm: float = Field(default=1.0, gt=0, description="Longer gradients are cut to this length.")
    precision: Literal["auto", "float32", "bfloat16", "float16"] = Field(
        default="auto",
        description="Of the multiplications while learning; weights are kept in float32. auto: bfloat16 where the "
        "machine multiplies it in hardware, float16 on an older GPU, else float32.",
    )
    channels_last: bool = Field(default=True, description="Keep channels innermost in memory: faster, the same result.")
    ema: float = Field(
        default=0.0,
        ge=0,
        lt=1,
        description="Decay of the moving average of the weights, which then is what is examined and kept; 0: none.",
    )
    patience: int | None = Field(
        default=None,
        ge=1,
        description="Stop after so many examinations of the held-out part without a lower loss; the best is kept. "
        "None: learn to the end, and keep the last.",
    )
    examine_every: int = Field(default=1, ge=1, description="Epochs between examinations of the held-out part.")
    deterministic: bool = Field(
        default=False,
        description="Refuse operations of a GPU that give other bits each time. A CPU repeats itself without it.",
    )
    devices: int = Field(
        default=1,
        ge=1,
        le=64,
        description="GPUs of one machine that learn one network together, each from its share of every step. The same "
        "result as of one but for what holds of accumulate.",
    )

    @model_validator(mode="after")
    def _rows_for_all(self) -> Self:
        if self.devices > self.batch:
            raise ValueError(
                f"{self.devices} devices share a step of {self.batch} rows; expected one for each at least"
            )
        return self
