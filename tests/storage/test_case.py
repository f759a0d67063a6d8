"""A case: only keys travel, and a case that went through a stage is a new one."""

from __future__ import annotations

import pickle

import pytest
from pydantic import ValidationError

from storage.case import Case

CASE = Case(id="C-1", patient="P-1", digest="d")


def test_a_new_key_makes_a_new_case_and_leaves_the_old_one() -> None:
    through = CASE.with_key("ingest", "k1").with_key("sample", "k2")
    assert through.keys == {"ingest": "k1", "sample": "k2"}
    assert (through.id, through.patient, through.digest) == ("C-1", "P-1", "d")
    assert CASE.keys == {}


def test_a_stage_that_was_done_again_replaces_its_key() -> None:
    assert CASE.with_key("ingest", "k1").with_key("ingest", "k2").keys == {"ingest": "k2"}


def test_a_case_is_frozen_and_knows_nothing_else() -> None:
    with pytest.raises(ValidationError, match="frozen"):
        CASE.id = "C-2"
    with pytest.raises(ValidationError, match="Extra inputs"):
        Case(id="C-1", patient="P-1", digest="d", path="inbox")


def test_a_case_travels_whole() -> None:
    case = CASE.with_key("ingest", "k1")
    assert pickle.loads(pickle.dumps(case)) == case
    assert Case.model_validate_json(case.model_dump_json()) == case
