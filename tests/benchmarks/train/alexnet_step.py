"""Two training steps of AlexNet by the engine beside the loop that people write with torch, in float32."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from tests.benchmarks.row import Array, Row
from tests.benchmarks.train.subject import CLASSES, PICTURES, PX, Subject

STEPS, RATE = 2, 1e-5


def alexnet() -> Any:
    """The same numbers each time; without dropout, whose draws the two sides do not share."""
    import torch
    from torchvision.models import AlexNet

    torch.manual_seed(0)
    return AlexNet(num_classes=CLASSES, dropout=0.0)


def ours(subject: Subject) -> Callable[[], Array]:
    import torch
    from torch.nn.functional import cross_entropy

    from tasks.train.engine_settings import EngineSettings
    from tasks.train.learner import Learner
    from tasks.train.lesson import Batch

    class Seen:
        """The loss, and what the network said."""

        def loss(self, outputs: Any, answers: Any) -> Any:
            return cross_entropy(outputs, answers, reduction="sum")

        def tally(self, outputs: Any, answers: Any) -> dict[str, Any]:
            return {"said": outputs.softmax(dim=1)}

    learner = Learner(alexnet(), Seen(), EngineSettings(), device="cpu")
    batch = Batch(*map(torch.from_numpy, subject.pictures()))

    def learn() -> Array:
        for _ in range(STEPS):
            told = learner.learn([batch], weight=PICTURES, rate=RATE)
        return told["said"].numpy()

    return learn


def theirs(subject: Subject) -> Callable[[], Array]:
    import torch
    from torch.nn.functional import cross_entropy
    from torch.nn.utils import clip_grad_norm_

    network = alexnet().train()
    decaying = [one for one in network.parameters() if one.ndim > 1]
    others = [one for one in network.parameters() if one.ndim <= 1]
    groups = [{"params": decaying, "weight_decay": 0.05}, {"params": others, "weight_decay": 0.0}]
    optimizer = torch.optim.AdamW(groups, lr=RATE, fused=True)
    pictures, answers = map(torch.from_numpy, subject.pictures())

    def learn() -> Array:
        for _ in range(STEPS):
            optimizer.zero_grad()
            logits = network(pictures)
            cross_entropy(logits, answers).backward()
            clip_grad_norm_(network.parameters(), 1.0)
            optimizer.step()
        return logits.detach().softmax(dim=1).numpy()

    return learn


ROW = Row(
    work="alexnet_step",
    peer="torch_eager",
    ours=ours,
    theirs=theirs,
    tolerance=0.01,
    says=f"{STEPS} training steps of torchvision's AlexNet on {PICTURES} pictures of {PX}×{PX} pixels: forward, "
    "backward, gradients cut, fused AdamW. Ours in the precision that the engine chooses here and channels last; the "
    "peer in float32, as a model comes. Compared: the probabilities that the second step saw, from the same start",
    wanted=1.3,
)
