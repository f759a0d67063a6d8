"""Where a number comes from: a digest of the source that follows imports, and the versions of libraries."""

from __future__ import annotations

import platform
import shutil
from collections.abc import Callable, Iterator
from importlib.metadata import version
from pathlib import Path

import pytest

from storage import provenance
from storage.provenance import library_versions, source_digest

FILES = {
    "tasks/stage/task.py": "from tasks.imaging.one import work\nfrom tasks.models import forest\nimport numpy\n",
    "tasks/stage/page.html": "<p>a template</p>",
    "tasks/imaging/one.py": "def work():\n    import tasks.imaging.two\n",
    "tasks/imaging/two.py": "from tasks.imaging.one import work  # a circle\nfrom storage.volume import Volume\n",
    "tasks/imaging/bystander.py": "",
    "tasks/models/forest.py": "",
    "tasks/models/bystander.py": "",
    "storage/volume.py": "",
    "storage/artifacts.py": "",
}


def forget() -> None:
    """What was read of the sources: a process reads each once."""
    source_digest.cache_clear()
    provenance._digest_and_imports.cache_clear()


@pytest.fixture
def checkout(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A small checkout in the place of ours."""
    for name, text in FILES.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    monkeypatch.setattr(provenance, "CHECKOUT", tmp_path)
    forget()
    yield tmp_path
    forget()


@pytest.fixture
def digest_now(checkout: Path) -> Callable[[], str]:
    """The digest of the stage, of the files as they are now."""

    def look() -> str:
        forget()
        return source_digest("tasks.stage")

    return look


@pytest.mark.parametrize(
    "name",
    [
        "tasks/stage/task.py",
        "tasks/stage/page.html",
        "tasks/imaging/one.py",
        "tasks/imaging/two.py",
        "tasks/models/forest.py",
        "storage/volume.py",
    ],
)
def test_a_change_in_the_stage_or_in_what_it_imports_changes_the_digest(
    checkout: Path, digest_now: Callable[[], str], name: str
) -> None:
    before = digest_now()
    (checkout / name).write_text(FILES[name] + " ")
    assert digest_now() != before
    (checkout / name).write_text(FILES[name])
    assert digest_now() == before


@pytest.mark.parametrize(
    "name", ["tasks/imaging/bystander.py", "tasks/models/bystander.py", "storage/artifacts.py", "tasks/other.py"]
)
def test_a_change_elsewhere_does_not(checkout: Path, digest_now: Callable[[], str], name: str) -> None:
    before = digest_now()
    (checkout / name).write_text("x = 1\n")
    assert digest_now() == before


def test_a_new_file_in_the_stage_and_another_name_change_the_digest(
    checkout: Path, digest_now: Callable[[], str]
) -> None:
    before = digest_now()
    (checkout / "tasks/stage/more.py").touch()
    more = digest_now()
    (checkout / "tasks/stage/more.py").rename(checkout / "tasks/stage/most.py")
    assert len({before, more, digest_now()}) == 3


def test_compiled_files_do_not_count(checkout: Path, digest_now: Callable[[], str]) -> None:
    before = digest_now()
    (checkout / "tasks/stage/__pycache__").mkdir()
    (checkout / "tasks/stage/__pycache__/task.cpython-311.pyc").write_bytes(b"x")
    assert digest_now() == before


def test_the_place_of_the_checkout_does_not_count(
    checkout: Path, digest_now: Callable[[], str], monkeypatch: pytest.MonkeyPatch
) -> None:
    before = digest_now()
    shutil.copytree(checkout, checkout / "elsewhere")
    monkeypatch.setattr(provenance, "CHECKOUT", checkout / "elsewhere")
    assert digest_now() == before


def test_a_module_is_a_place_too(checkout: Path) -> None:
    one = source_digest("tasks.imaging.one")
    assert one == source_digest("tasks.imaging.two", "tasks.imaging.one")  # they import each other
    assert one != source_digest("tasks.imaging.bystander")


def test_an_unknown_place_is_refused(checkout: Path) -> None:
    with pytest.raises(ValueError, match=r"'tasks\.nothing' is neither a module nor a package"):
        source_digest("tasks.nothing")


def test_versions_are_those_that_are_installed() -> None:
    assert library_versions("numpy", "scikit-learn") == {
        "python": platform.python_version(),
        "numpy": version("numpy"),
        "scikit-learn": version("scikit-learn"),
    }
