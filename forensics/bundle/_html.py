"""A report with its names replaced: in what it shows, never in how it is made."""

from __future__ import annotations

import re
from collections.abc import Callable

_TAG = re.compile(r"(<style\b.*?</style>|<[^>]*>)", re.DOTALL)
_SHOWN = re.compile(r"""\b(title|aria-label|aria-labelledby|aria-describedby|alt|id|href|for|content)="([^"]*)\"""")


def replaced(page: bytes, text: Callable[[str], str]) -> bytes:
    """The page with its text, and what its attributes show or refer to, replaced."""
    pieces = _TAG.split(page.decode("utf-8"))
    for n, piece in enumerate(pieces):
        if n % 2 == 0:
            pieces[n] = text(piece) if piece.strip() else piece
        elif not piece.startswith(("<style", "<meta")):
            pieces[n] = _SHOWN.sub(lambda found: f'{found[1]}="{text(found[2])}"', piece)
    return "".join(pieces).encode()
