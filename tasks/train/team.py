"""The processes that learn one lesson together, as each of them sees it: its share of every step, and sums over all.

Each holds the whole network and computes the gradients of its share of a step's rows; these are added up, and all
change their weights alike (data parallelism; Li et al. 2020, arXiv:2006.15704). A lesson's loss is a sum over rows,
divided by the weight of the whole step: so the sum over the processes is the gradient of the whole step, however the
rows are shared out and whatever they weigh. ``DistributedDataParallel`` takes means over processes instead, and would
have to be told about parts, frozen layers and unused ones; adding up by hand leaves the loop as it is, for the price of
not beginning to add while the last gradients are still computed.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING

from tasks.train.lesson import IntArray

if TYPE_CHECKING:
    from torch import Tensor

LOOPBACK = "lo0" if sys.platform == "darwin" else "lo"
PATIENCE = timedelta(days=30)
"""How long a process waits for the others: the first may examine for hours. That they live is their parent's care."""


@dataclass(frozen=True)
class Team:
    """One process of a team. The first, of rank 0, also examines, keeps checkpoints and tells the epochs."""

    rank: int = 0
    size: int = 1

    @property
    def leads(self) -> bool:
        """Whether this process speaks for all."""
        return self.rank == 0

    @property
    def own(self) -> tuple[int, ...]:
        """What the seed of a step has beside its number: each process drops out what it likes."""
        return () if self.leads else (self.rank,)

    def share(self, rows: IntArray) -> IntArray:
        """The rows of a step that this process learns from. ``ValueError`` where there are fewer than processes."""
        if len(rows) < self.size:
            raise ValueError(f"a step has {len(rows)} rows for {self.size} devices; expected one for each at least")
        return rows[self.rank :: self.size]

    def add_up(self, tensors: Sequence[Tensor]) -> None:
        """Replace each tensor by its sum over all processes. They have the same type, shapes and order in each."""
        if self.size == 1:
            return
        import torch
        from torch.distributed import all_reduce

        flat = torch.cat([tensor.reshape(-1) for tensor in tensors])
        all_reduce(flat)
        parts = torch.split(flat, [tensor.numel() for tensor in tensors])
        for tensor, sums in zip(tensors, parts, strict=True):
            tensor.copy_(sums.view(tensor.shape))

    def as_the_first(self, decided: bool) -> bool:
        """What the first process has decided."""
        if self.size == 1:
            return decided
        import torch
        from torch.distributed import broadcast

        word = torch.tensor([decided])
        broadcast(word, src=0)
        return bool(word)


ALONE = Team()


def join(rank: int, size: int, *, meeting: Path, device: str) -> Team:
    """Meet the other processes of this machine, at a file that does not exist yet; NCCL between GPUs, else Gloo.

    Nothing listens on any interface but the loopback.
    """
    from torch import distributed

    os.environ["GLOO_SOCKET_IFNAME"] = os.environ["NCCL_SOCKET_IFNAME"] = LOOPBACK
    backend = "cpu:gloo,cuda:nccl" if device.startswith("cuda") else "gloo"
    where = f"file://{meeting}"
    distributed.init_process_group(backend, init_method=where, rank=rank, world_size=size, timeout=PATIENCE)
    return Team(rank, size)
