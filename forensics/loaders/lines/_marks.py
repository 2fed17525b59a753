"""What the rows of a log no longer show: the level of traceback lines, how an empty identity is spelt."""

from __future__ import annotations

import numpy as np

from forensics.loaders.lines._fields import CHAIN, Fields
from forensics.loaders.lines._text import Ints, Text

_NONE = np.frombuffer(b" None]", np.uint8)
_TRACEBACK = np.frombuffer(b"Traceback (most ", np.uint8)


def marks(text: Text, fields: Fields, juno: int) -> dict[str, int]:
    """First line of each mark that a chunk has.

    Args:
        text: The lines.
        fields: What is known of them.
        juno: Number of the framing that has no identity beside the request.

    Returns:
        ``trace`` (a traceback's line of level TRACE), ``error-trace`` (one of level ERROR), ``none``
        (``[req-… None]``), each with the number of its line.
    """
    found: dict[str, int] = {}
    traces = np.flatnonzero(fields.trace & fields.header)
    if len(traces):
        level = text.buffer[np.maximum(fields.start["severity"][traces], 0)]
        begins = (text.window(fields.start["message"][traces], len(_TRACEBACK)) == _TRACEBACK).all(axis=1)
        _first(found, "trace", text, traces[level == ord("T")])
        _first(found, "error-trace", text, traces[(level == ord("E")) & begins])
    alone = np.flatnonzero(fields.framing & (CHAIN - 1) == juno)
    if len(alone):
        spelt = (text.window(fields.end["request_id"][alone], len(_NONE)) == _NONE).all(axis=1)
        _first(found, "none", text, alone[spelt])
    return found


def _first(found: dict[str, int], name: str, text: Text, lines: Ints) -> None:
    if len(lines):
        found[name] = int(text.number[lines[0]])
