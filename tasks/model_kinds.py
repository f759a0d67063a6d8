"""The kinds of models, told apart by what their files offer; see :mod:`tasks.discover`."""

from __future__ import annotations

from tasks.discover import MODELS, part_names

PIPELINES = tuple(f"{MODELS}.{name}" for name in part_names(MODELS, with_function="build"))
ON_PICTURES = tuple(f"{MODELS}.{name}" for name in part_names(MODELS, with_function="build_on_pictures"))
NETWORKS = tuple(f"{MODELS}.{name}" for name in part_names(MODELS, with_function="build_network"))
SEGMENTERS = tuple(f"{MODELS}.{name}" for name in part_names(MODELS, with_function="build_segmenter"))
"""Modules of the kinds of models: whatever trains or applies one of a kind stands on the source of all of them."""
PATCH_NETWORKS = part_names(MODELS, with_function="build_patch_network")
PATCH_LEARNERS = part_names(MODELS, with_function="learn_on_patches")
"""Names of the models that look at patches: networks, and those that learn by themselves."""
