"""What is wrong with a query, and which names there are, in words shorter than those of the query engine."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from difflib import get_close_matches

from forensics.errors import CaseError

_COLUMN = re.compile(r"unable to find column \"(.{1,200}?)\"")
_VALID = re.compile(r"valid columns: \[(.*?)\](?:\n|$)", re.DOTALL)


def there_are(unknown: Iterable[str], known: Sequence[str]) -> str:
    """The columns there are, those that look like what was asked for first.

    Examples:
        >>> there_are(["scr"], ["ts", "src", "inner_src"])
        'did you mean src? Otherwise there are ts, src; and inner_… for what a tunnel carries'
    """
    near = list(dict.fromkeys(name for one in unknown for name in get_close_matches(one, known, 3)))
    outer = [name for name in known if not name.startswith("inner_")]
    meant = f"did you mean {' or '.join(near)}? Otherwise " if near else ""
    more = "; and inner_… for what a tunnel carries" if len(outer) < len(known) else ""
    return f"{meant}there are {', '.join(outer)}{more}"


def query_failed(error: Exception, tables: Sequence[str], *, where: str | None = None) -> CaseError:
    """The engine's complaint without its plan and its own list of columns; the hint lists what there is."""
    text = str(error)
    first = text.partition("\n")[0].partition("; valid columns")[0]
    listed, missing = _VALID.search(text), _COLUMN.search(first)
    if listed:
        hint = there_are([missing[1]] if missing else [], re.findall(r'"([^"]*)"', listed[1]))
    else:
        hint = f"the only table is {tables[0]}" if len(tables) == 1 else f"tables are {', '.join(tables)}"
    return CaseError(f"the query failed: {first}", where=where, hint=hint)
