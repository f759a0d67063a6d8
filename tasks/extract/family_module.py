"""What a module of any feature family must have, of volumes as of pictures; see the registries."""

from __future__ import annotations

from types import ModuleType
from typing import Any


def family_facts(module: ModuleType, *, of: str = "") -> dict[str, Any]:
    """What every family is made of: ``name``, ``module``, ``says``, ``settings``, ``features`` and ``compute``.

    Parameters
    ----------
    of
        What its features are of, for the message: ``" of pictures"``.

    Raises
    ------
    ValueError
        Naming what lacks, when the module is no family.
    """
    name = module.__name__.rpartition(".")[2]
    missing = [needed for needed in ("Settings", "compute") if not hasattr(module, needed)]
    if not hasattr(module, "features") and not hasattr(module, "FEATURES"):
        missing.append("FEATURES")
    if missing:
        raise ValueError(f"feature family {name!r}{of} lacks {', '.join(missing)}")
    constant = getattr(module, "FEATURES", {})
    return {
        "name": name,
        "module": module.__name__,
        "says": (module.__doc__ or "").partition("\n")[0],
        "settings": module.Settings,
        "features": getattr(module, "features", lambda _settings: dict(constant)),
        "compute": module.compute,
    }
