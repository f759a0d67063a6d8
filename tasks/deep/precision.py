"""In which numbers a network multiplies, and what a machine is good at.

bfloat16 has the range of float32 and 8 bits of its precision: losses need no scaling. float16 has more precision and a
small range: gradients are scaled so that they do not vanish (Micikevicius et al. 2018, arXiv:1710.03740).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    import torch

Precision = Literal["float32", "bfloat16", "float16"]


def precision_for(wish: Literal["auto", "float32", "bfloat16", "float16"], device: str) -> Precision:
    """The precision for a device: the wish, or what its hardware multiplies fast and safely.

    Decided by what the hardware says of itself and not by a stopwatch: a busy machine learns the same as an idle one.
    """
    import torch

    if wish != "auto":
        return wish
    if torch.device(device).type == "cuda":
        # Before Ampere (8.0) bfloat16 is emulated; tensor cores for float16 came with Volta (7.0).
        capability = torch.cuda.get_device_capability(torch.device(device))
        return "bfloat16" if capability >= (8, 0) else "float16" if capability >= (7, 0) else "float32"
    able = torch.cpu.get_capabilities()
    return "bfloat16" if able.get("avx512_bf16") or able.get("amx_bf16") else "float32"


def autocast(precision: Precision, device: str) -> torch.autocast:
    """A context in which torch multiplies in this precision."""
    import torch

    kind = torch.device(device).type
    # torch refuses float32 by name, though it means the same as switched off.
    dtype = torch.float16 if precision == "float16" else torch.bfloat16
    return torch.autocast(kind, dtype=dtype, enabled=precision != "float32")
