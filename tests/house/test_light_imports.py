"""Nobody pays for a library that does not work for him.

- A CPU worker that never trains a network imports neither torch nor MONAI: they cost 5 s and 0.6 GB, and 12 s and
  1.1 GB, in every worker process.
- The driver of a night without news only plans: a stage's algorithms and their libraries are imported where the work is
  done, inside the functions of its ``task.py``. Otherwise they would cost more than half of such a night.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

CHECKOUT = Path(__file__).parents[2]
UP_TO_EXTRACT = ("ingest", "split", "normalize", "sample", "extract")
DEEP = ("torch", "torchvision", "monai")
HEAVY = (
    *DEEP,
    "numba",
    "dask.array",
    "sklearn",
    "skimage",
    "SimpleITK",
    "pandas",
    "zarr",
    "matplotlib",
    "scipy.stats",
    "scipy.optimize",
)
PLANNING = """
import sys
from pathlib import Path
import flows.study
for study in Path("deployments/studies").glob("*.toml"):
    flows.study.load_study(study)
print(*sorted(set(sys.argv[1].split(",")) & set(sys.modules)))
"""

IMPORT_ALL = """
import importlib, sys
for name in sys.argv[1].split(","):
    importlib.import_module(name)
print(*sorted(set(sys.argv[2].split(",")) & set(sys.modules)))
"""


def heavy_after_importing(modules: list[str], path: Path = CHECKOUT) -> list[str]:
    """Which heavy packages a fresh interpreter holds once it has imported the modules."""
    command = [sys.executable, "-c", IMPORT_ALL, ",".join(modules), ",".join(DEEP)]
    env = {**os.environ, "PYTHONPATH": str(path)}
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, env=env, cwd=path)
    if done.returncode:
        pytest.fail(done.stderr)
    return done.stdout.split()


@pytest.mark.slow
def test_the_chain_up_to_extract_imports_no_deep_learning() -> None:
    files = [path for stage in UP_TO_EXTRACT for path in (CHECKOUT / "tasks" / stage).rglob("*.py")]
    modules = [".".join(path.relative_to(CHECKOUT).with_suffix("").parts) for path in files]
    assert {f"tasks.{stage}.task" for stage in UP_TO_EXTRACT} <= set(modules)
    assert heavy_after_importing([module.removesuffix(".__init__") for module in modules]) == []


@pytest.mark.slow
def test_a_driver_that_plans_imports_no_algorithm() -> None:
    done = subprocess.run(
        [sys.executable, "-c", PLANNING, ",".join(HEAVY)], capture_output=True, text=True, timeout=120, cwd=CHECKOUT
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.split() == []


def test_a_module_that_imports_torch_is_noticed(tmp_path: Path) -> None:
    (tmp_path / "torch.py").touch()
    (tmp_path / "light.py").write_text("def f():\n    import torch\n")
    (tmp_path / "deep.py").write_text("import torch\n")
    assert heavy_after_importing(["light"], tmp_path) == []
    assert heavy_after_importing(["light", "deep"], tmp_path) == ["torch"]
