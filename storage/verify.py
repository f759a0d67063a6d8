"""Finding damage: every artifact hashed again and compared with what its commit marker says."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from storage.artifacts import MARKER, ArtifactStore, Commit, checksums
from storage.errors import StoreError


@dataclass(frozen=True)
class Damage:
    """One damaged artifact (``stage/key``) and what is wrong with it."""

    artifact: str
    folder: Path
    faults: tuple[str, ...]


def verify_store(store: ArtifactStore) -> tuple[int, list[Damage]]:
    """Check every artifact. Returns how many there are, and the damaged ones."""
    markers = sorted((store.root / "artifacts").glob(f"*/*/{MARKER}"))
    folders = [marker.parent for marker in markers if not marker.parent.name.startswith(".")]
    found = ((folder, _faults(folder)) for folder in folders)
    damaged = [Damage(f"{folder.parent.name}/{folder.name[:12]}", folder, faults) for folder, faults in found if faults]
    return len(folders), damaged


def open_model(store: ArtifactStore, key: str, *, stage: str = "train") -> Path:
    """Folder of a model, every file of it hashed again. Raises ``StoreError`` when one is not what was committed."""
    folder = store.open(stage, key)
    if faults := _faults(folder):
        raise StoreError(
            f"the model {key[:12]} is not what was committed: {'; '.join(faults)}; "
            "run `lesionflow verify --remove-damaged`, then the study again"
        )
    return folder


def _faults(folder: Path) -> tuple[str, ...]:
    try:
        commit = Commit.model_validate_json((folder / MARKER).read_bytes())
    except ValueError:
        return ("its commit marker cannot be read",)
    if commit.key != folder.name or commit.stage != folder.parent.name:
        return ("its commit marker belongs to another artifact",)
    now = checksums(folder)
    lost = [f"{name} is missing" for name in commit.files if name not in now]
    changed = [f"{name} has changed" for name, sha in commit.files.items() if now.get(name, sha) != sha]
    extra = [f"{name} was added" for name in now if name not in commit.files]
    return tuple(lost + changed + extra)
