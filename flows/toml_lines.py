"""Which line of a TOML file says what: the one thing that `tomllib` does not tell.

A *key path* is a tuple of keys and list positions, as in ``("normalize", "steps", 0, "sigma_mm")``. The scanner expects
text that `tomllib` has accepted, so it looks for structure only and checks nothing.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator
from typing import Any

KeyPath = tuple[str | int, ...]

_KEY_PART = r"""(?:"(?:\\.|[^"\\])*"|'[^']*'|[A-Za-z0-9_-]+)"""
_KEY = re.compile(rf"{_KEY_PART}(?:[ \t]*\.[ \t]*{_KEY_PART})*")
_STRING = re.compile(
    r'"""(?:\\.|[^\\])*?"{3,5}(?!")' + r"|'''.*?'{3,5}(?!')" + r'|"(?:\\.|[^"\\])*"' + r"|'[^']*'",
    re.DOTALL,
)
_BARE = re.compile(r"[^,\]}#\n]+")
_BLANK = re.compile(r"(?:[ \t\r\n]|#[^\n]*)*")


def locate_keys(text: str) -> dict[KeyPath, int]:
    """Line, from 1, at which each key, table and list item of a valid TOML text begins."""
    scanner = _Scanner(text)
    scanner.document()
    return scanner.lines


class _Scanner:
    """Reads from ``at`` onwards and notes the line of everything it passes."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.at = 0
        self.lines: dict[KeyPath, int] = {}
        self.tables_in: dict[KeyPath, int] = {}

    def document(self) -> None:
        table: KeyPath = ()
        while self.skip_blank():
            if self.text.startswith("[", self.at):
                table = self.header()
            else:
                self.assignment(table)

    def header(self) -> KeyPath:
        is_list = self.text.startswith("[[", self.at)
        self.at += 2 if is_list else 1
        self.skip_blank()
        start = self.at
        *parents, last = self.key()
        self.at = self.text.index("]", self.at) + (2 if is_list else 1)
        path: KeyPath = ()
        for part in parents:
            path = self.note(self.newest((*path, part)), start)
        path = self.note((*path, last), start)
        if is_list:
            self.tables_in[path] = self.tables_in.get(path, 0) + 1
        return self.note(self.newest(path), start)

    def assignment(self, table: KeyPath) -> None:
        start = self.at
        path = table
        for part in self.key():
            path = self.note((*path, part), start)
        self.at = self.text.index("=", self.at) + 1
        self.value(path)

    def value(self, path: KeyPath) -> None:
        self.skip_blank()
        self.note(path, self.at)
        if string := _STRING.match(self.text, self.at):
            self.at = string.end()
        elif self.text.startswith("[", self.at):
            for number in self.items("]"):
                self.value((*path, number))
        elif self.text.startswith("{", self.at):
            for _ in self.items("}"):
                self.assignment(path)
        elif bare := _BARE.match(self.text, self.at):
            self.at = bare.end()

    def items(self, closing: str) -> Iterator[int]:
        self.at += 1
        number = 0
        while self.skip_blank() and not self.text.startswith(closing, self.at):
            yield number
            number += 1
            if self.skip_blank() and self.text.startswith(",", self.at):
                self.at += 1
        self.at += 1

    def key(self) -> list[str]:
        found = _KEY.match(self.text, self.at)
        if found is None:
            raise ValueError(f"no key at character {self.at}")
        self.at = found.end()
        # tomllib itself knows best how quotes and escapes of a key are read.
        inner: Any = tomllib.loads(f"{found.group()} = 0")
        parts = []
        while isinstance(inner, dict):
            [(part, inner)] = inner.items()
            parts.append(part)
        return parts

    def newest(self, path: KeyPath) -> KeyPath:
        """The last of the tables of a list; the path itself when it is no list."""
        return (*path, self.tables_in[path] - 1) if path in self.tables_in else path

    def note(self, path: KeyPath, start: int) -> KeyPath:
        self.lines.setdefault(path, self.text.count("\n", 0, start) + 1)
        return path

    def skip_blank(self) -> bool:
        """Go to the next thing that means something; False at the end of the text."""
        blank = _BLANK.match(self.text, self.at)
        self.at = blank.end() if blank else self.at
        return self.at < len(self.text)
