"""Pseudonyms: names that stay the same from night to night and cannot be undone without the key.

A pseudonym is a keyed hash (HMAC-SHA256, RFC 2104) of an identifier. The key lives outside the store; whoever holds the
store alone can neither reverse a pseudonym nor test a guess.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import os
import secrets
import uuid
from pathlib import Path

import platformdirs

KEY_VARIABLE = "LESIONFLOW_PSEUDONYM_KEY"
KEY_BYTES_MIN = 16
_NAME_CHARACTERS = 12


class KeyFileError(Exception):
    """The pseudonym key cannot be used as it is; the message says what to do."""


class Pseudonyms:
    """Pseudonyms made with one key.

    Parameters
    ----------
    key
        At least `KEY_BYTES_MIN` secret bytes.
    """

    def __init__(self, key: bytes) -> None:
        if len(key) < KEY_BYTES_MIN:
            raise KeyFileError(f"a pseudonym key has at least {KEY_BYTES_MIN} bytes; got {len(key)}")
        self._key = key

    @property
    def fingerprint(self) -> str:
        """16 hex characters that tell keys apart without giving one away."""
        return hashlib.sha256(self._key).hexdigest()[:16]

    def patient(self, patient_id: str, issuer: str = "") -> str:
        """``P-`` and 12 characters for a patient, who is an ID together with who issued it."""
        return "P-" + self._name("patient", patient_id.strip(), issuer.strip())

    def examination(self, study_uid: str) -> str:
        """``C-`` and 12 characters for an examination."""
        return "C-" + self._name("examination", study_uid)

    def series(self, series_uid: str) -> str:
        """``S-`` and 12 characters for a series."""
        return "S-" + self._name("series", series_uid)

    def file(self, digest: str) -> str:
        """``F-`` and 12 characters for a file that could not be read."""
        return "F-" + self._name("file", digest)

    def picture(self, digest: str) -> tuple[str, str]:
        """Case ``C-…`` and patient ``P-…`` of a picture that is known by the digest of its file alone.

        Nobody says whose picture it is, so each is a patient of its own.
        """
        return "C-" + self._name("picture", digest), "P-" + self._name("unknown patient of picture", digest)

    def uid(self, uid: str) -> str:
        """Another valid UID for a UID: UUID-derived, ``2.25.…``, at most 44 characters (DICOM PS3.5 B.2)."""
        return f"2.25.{uuid.UUID(bytes=self._hash('uid', uid)[:16], version=4).int}"

    def _name(self, *what: str) -> str:
        return base64.b32encode(self._hash(*what)).decode()[:_NAME_CHARACTERS]

    def _hash(self, *what: str) -> bytes:
        # JSON keeps ("a", "bc") and ("ab", "c") apart.
        return hmac.new(self._key, json.dumps(what).encode(), hashlib.sha256).digest()


def load_key() -> bytes:
    """Return the key from `KEY_VARIABLE`, else from the user's key file, which is made at first use.

    Raises
    ------
    KeyFileError
        The key is too short, or others may read the file.
    """
    value = os.environ.get(KEY_VARIABLE)
    if value is not None:
        if len(value.encode()) < KEY_BYTES_MIN:
            raise KeyFileError(
                f"{KEY_VARIABLE} must hold at least {KEY_BYTES_MIN} characters; got {len(value.encode())}"
            )
        return value.encode()
    path = key_file()
    if not path.exists():
        _create(path)
    return _read(path)


def key_file() -> Path:
    """Where the key lives when the environment does not give it."""
    return platformdirs.user_config_path("lesionflow") / "pseudonym.key"


def _create(path: Path) -> None:
    """Make a key file with mode 0600. Of two processes at once, one wins and both then read the same key."""
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    draft = path.with_name(f".{path.name}-{secrets.token_hex(8)}")
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with os.fdopen(descriptor, "wb") as stream:
            stream.write(secrets.token_hex(32).encode() + b"\n")
            stream.flush()
            os.fsync(stream.fileno())
        os.link(draft, path)  # unlike a rename, this never replaces a key
    except FileExistsError:
        return
    finally:
        draft.unlink()


def _read(path: Path) -> bytes:
    mode = path.stat().st_mode & 0o777
    if os.name == "posix" and mode & 0o077:
        raise KeyFileError(
            f"{path} holds the pseudonym key and others may open it (mode {mode:04o}); run: chmod 600 '{path}'"
        )
    key = path.read_bytes().strip()
    if len(key) < KEY_BYTES_MIN:
        raise KeyFileError(
            f"{path} holds {len(key)} characters; a pseudonym key has at least {KEY_BYTES_MIN}: restore the file"
        )
    return key
