"""Output whose form its command line gives: `stat -c FORMAT`, `find -printf FORMAT`."""

from __future__ import annotations

import re
import shlex
from collections.abc import Mapping

_ESCAPES = {"n": "\n", "t": "\t", "0": "\0", "\\": "\\"}
_LONGEST = 512
_MOST_FIELDS = 24


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


def template(form: str, directives: Mapping[str, tuple[str, str]]) -> re.Pattern[str] | None:
    r"""A pattern for one line of output.

    Args:
        form: The format; one line's worth, a newline at its end is passed over.
        directives: By directive without its ``%``: name of the group, and its pattern.

    Returns:
        None where the format has a directive that is not known, or tells of a file in more than one line.

    Examples:
        >>> template(r"%s %p\n", {"s": ("size", r"\d+"), "p": ("path", ".+")}).pattern
        '^(?P<size>\\d+)\\ (?P<path>.+)$'
    """
    if len(form) > _LONGEST:
        return None
    pieces: list[str] = []
    named: set[str] = set()
    at = 0
    while at < len(form):
        character = form[at]
        if character == "\\" and at + 1 < len(form):
            pieces.append(re.escape(_ESCAPES.get(form[at + 1], form[at + 1])))
            at += 2
        elif character == "%":
            found = re.compile(r"%[-#0+ ]?(\d{0,3})(?:\.\d{0,2})?(%|[A-Z]?[A-Za-z@]|[A-Za-z])").match(form, at)
            names = [found[2], found[2][:1]] if found else []
            name = next((name for name in names if name in directives or name == "%"), None)
            if found is None or name is None:
                return None
            at = found.end() - len(found[2]) + len(name)
            if name == "%":
                pieces.append("%")
                continue
            group, pattern = directives[name]
            padded = r"\s*" if found[1] else ""
            pieces.append(padded + (f"(?:{pattern})" if group in named or not group else f"(?P<{group}>{pattern})"))
            named.add(group)
        else:
            pieces.append(re.escape(character))
            at += 1
    if len(named) > _MOST_FIELDS:
        return None
    while pieces and pieces[-1] in ("\\\n", "\n"):
        pieces.pop()
    whole = "".join(pieces)
    return None if "\n" in whole or not named else re.compile(f"^{whole}$")
