"""Output whose form its command line gives: `stat -c FORMAT`, `find -printf FORMAT`."""

from __future__ import annotations

import re
import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import polars as pl

_ESCAPES = {"n": "\n", "t": "\t", "0": "\0", "\\": "\\"}
_LONGEST = 512
_MOST_FIELDS = 24
_LONGEST_LINE = 8192


def words_of(command: str) -> list[str]:
    """Words of a command line as a shell takes them; none where its quotes do not close."""
    try:
        return shlex.split(command[:_LONGEST])
    except ValueError:
        return []


def option_value(words: list[str], *names: str) -> str | None:
    """The value of an option, behind it or joined to it.

    Examples:
        >>> option_value(["-c", "%n %s", "x"], "-c", "--format"), option_value(["--format=%n"], "-c", "--format")
        ('%n %s', '%n')
    """
    for at, word in enumerate(words):
        if word in names and at + 1 < len(words):
            return words[at + 1]
        for name in names:
            if name.startswith("--") and word.startswith(name + "="):
                return word[len(name) + 1 :]
            if not name.startswith("--") and len(name) == 2 and word.startswith(name) and len(word) > 2:
                return word[2:]
    return None


@dataclass(frozen=True, slots=True)
class Template:
    """One line of output: a pattern that somebody else chose, so it is matched in linear time."""

    pattern: str

    def share(self, lines: Sequence[str]) -> float:
        """How many of some lines match, from 0 to 1."""
        return int(_texts(lines).str.contains(self.pattern).sum()) / len(lines) if lines else 0.0

    def rows(self, lines: Sequence[str]) -> list[dict[str, Any] | None]:
        """What each line says, by name of the field; None where it does not match."""
        told = _texts(lines).str.extract_groups(self.pattern).to_list()
        return [None if None in row.values() else row for row in told]  # each field is in each line that matches


def _texts(lines: Sequence[str]) -> pl.Series:
    return pl.Series([line[:_LONGEST_LINE] for line in lines], dtype=pl.String)


def template(form: str, directives: Mapping[str, tuple[str, str]]) -> Template | None:
    r"""A pattern for one line of output.

    Args:
        form: The format; one line's worth, a newline at its end is passed over.
        directives: By directive without its ``%``: name of the group, and its pattern.

    Returns:
        None where the format has a directive that is not known, tells nothing that counts, or tells of a file in more
        than one line.

    Examples:
        >>> template(r"%s %p\n", {"s": ("size", r"\d+"), "p": ("path", ".+")}).rows(["12 a b"])
        [{'size': '12', 'path': 'a b'}]
    """
    if len(form) > _LONGEST:
        return None
    pieces: list[str] = []
    named: set[str] = set()
    fields = 0
    at = 0
    while at < len(form):
        character = form[at]
        if character == "\\" and at + 1 < len(form):
            pieces.append(re.escape(_ESCAPES.get(form[at + 1], form[at + 1])))
            at += 2
        elif character == "%":
            found = re.compile(r"%([-#0+ ]?)(\d{0,3})(?:\.\d{0,2})?(%|[A-Z]?[A-Za-z@]|[A-Za-z])").match(form, at)
            names = [found[3], found[3][:1]] if found else []
            name = next((name for name in names if name in directives or name == "%"), None)
            if found is None or name is None:
                return None
            at = found.end() - len(found[3]) + len(name)
            if name == "%":
                pieces.append("%")
                continue
            group, pattern = directives[name]
            cell = f"(?:{pattern})" if group in named or not group else f"(?P<{group}>{pattern})"
            padded = r"\s*" if found[2] else ""
            pieces.append(cell + padded if found[1] == "-" else padded + cell)
            named.add(group)
            fields += 1
        else:
            pieces.append(re.escape(character))
            at += 1
    if fields > _MOST_FIELDS:
        return None
    while pieces and pieces[-1] in ("\\\n", "\n"):
        pieces.pop()
    whole = "".join(pieces)
    if "\n" in whole or not named - {""}:
        return None
    try:
        pl.Series([""]).str.contains(f"^{whole}$")
    except pl.exceptions.ComputeError:  # too large
        return None
    return Template(f"^{whole}$")
