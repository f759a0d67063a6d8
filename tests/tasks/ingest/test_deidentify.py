"""Pseudonyms stay, tell things apart, and cannot be made without the key."""

from __future__ import annotations

import re
import stat
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tasks.ingest import deidentify
from tasks.ingest.deidentify import KeyFileError, Pseudonyms, key_file, load_key

KEY = b"0123456789abcdef0123456789abcdef"


@pytest.fixture
def no_key(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A user without a key; returns where it will be made."""
    monkeypatch.delenv("LESIONFLOW_PSEUDONYM_KEY", raising=False)
    monkeypatch.setattr(deidentify.platformdirs, "user_config_path", lambda name: tmp_path / "config" / name)
    return key_file()


def test_pseudonyms_are_what_openssl_computes() -> None:
    names = Pseudonyms(KEY)
    assert names.patient("4711", "HOSPITAL") == "P-YVONUNZKEUGP"
    assert names.examination("1.2.3") == "C-HY2IBJC6326N"
    assert names.fingerprint == "3eb1bd439947eb76"


def test_everything_that_differs_gets_another_name() -> None:
    names, others = Pseudonyms(KEY), Pseudonyms(KEY[::-1])
    made = [
        names.patient("ab", "c"), names.patient("a", "bc"), names.patient("abc"), names.examination("abc"),
        names.series("abc"), names.file("abc"), others.patient("abc"), others.examination("abc"),
    ]  # fmt: skip
    assert len({name[2:] for name in made}) == len(made)
    assert names.uid("1.2") != others.uid("1.2") != names.uid("1.3")


def test_padding_is_not_part_of_a_patient_id() -> None:
    names = Pseudonyms(KEY)
    assert names.patient(" 4711 ", "H ") == names.patient("4711", "H")


def test_remapped_uids_are_valid() -> None:
    names = Pseudonyms(KEY)
    uids = {names.uid(f"1.2.{number}") for number in range(500)}
    assert len(uids) == 500
    assert all(re.fullmatch(r"2\.25\.[1-9][0-9]{0,38}", uid) for uid in uids)


def test_a_short_key_is_refused(no_key: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(KeyFileError, match="at least 16 bytes"):
        Pseudonyms(b"short")
    monkeypatch.setenv("LESIONFLOW_PSEUDONYM_KEY", "short")
    with pytest.raises(KeyFileError, match="LESIONFLOW_PSEUDONYM_KEY must hold at least 16"):
        load_key()


def test_the_environment_goes_before_the_file(no_key: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LESIONFLOW_PSEUDONYM_KEY", KEY.decode())
    assert load_key() == KEY
    assert not no_key.exists()


def test_the_first_use_makes_a_key_that_only_its_owner_may_open(no_key: Path) -> None:
    key = load_key()
    assert len(key) == 64
    assert load_key() == key
    assert stat.S_IMODE(no_key.stat().st_mode) == 0o600
    assert stat.S_IMODE(no_key.parent.stat().st_mode) == 0o700
    assert [path.name for path in no_key.parent.iterdir()] == ["pseudonym.key"]


def test_many_first_uses_at_once_agree_on_one_key(no_key: Path) -> None:
    with ThreadPoolExecutor(8) as pool:
        assert len(set(pool.map(lambda _: load_key(), range(32)))) == 1


def test_a_key_that_others_may_open_is_refused_with_the_cure(no_key: Path) -> None:
    load_key()
    no_key.chmod(0o640)
    with pytest.raises(KeyFileError, match=r"mode 0640\); run: chmod 600"):
        load_key()
    no_key.chmod(0o600)
    assert load_key()


def test_an_emptied_key_file_is_refused_and_never_replaced(no_key: Path) -> None:
    load_key()
    no_key.write_text("")
    with pytest.raises(KeyFileError, match="restore the file"):
        load_key()
    assert no_key.read_text() == ""
