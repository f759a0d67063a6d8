"""Too little memory: how it is told apart from other errors, and how what can be given back is given back."""

from __future__ import annotations

import gc

SAID = ("not enough memory", "can't allocate memory", "out of memory", "_status_alloc_failed")
"""What torch says where it has no exception of its own for it: on the CPU, and of cuBLAS and cuDNN on a GPU."""


def is_out_of_memory(error: BaseException) -> bool:
    """Whether a computation ended for want of memory, on whatever device."""
    import torch

    if isinstance(error, (torch.OutOfMemoryError, MemoryError)):
        return True
    return isinstance(error, RuntimeError) and any(words in str(error).lower() for words in SAID)


def give_back_memory() -> None:
    """Collect what is no longer used, and return what torch keeps of a GPU's memory for later."""
    import torch

    gc.collect()
    if torch.cuda.is_available():
        torch.cuda.empty_cache()
