"""Records out of whose middle the decompressor lost octets: they look whole, and are not."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

import numpy as np

from forensics.evidence import PADDING
from forensics.loaders._reader import Stretch
from forensics.loaders.captures._block import Block, Loss, Mark


def without_torn(
    events: Iterator[Block | Stretch | Loss | Mark], gaps: Sequence[tuple[int, str]]
) -> Iterator[Block | Stretch | Loss | Mark]:
    """Turn the records that a gap of the stream lies in into gaps of their own.

    Args:
        events: What a container yields.
        gaps: Offset and reason of what could not be decompressed; grows while the stream is read.
    """
    due = False
    for event in events:
        if not isinstance(event, Block) or not (gaps or due):
            yield event
            continue
        first, after = event.record_offset, event.record_offset + event.record_length
        reasons: dict[int, str] = {}
        for offset, reason in gaps:
            if reason.startswith(PADDING):
                continue  # zeros behind the compressed data: nothing of it is lost
            row = int(np.searchsorted(first, offset)) - 1
            if row >= 0 and first[row] < offset < after[row]:
                reasons[row] = reason
        for row, reason in reasons.items():
            frame = int(event.position[row]) - 1
            yield Stretch(
                int(first[row]), int(event.record_length[row]), "gap", f"record torn: {reason}", frame or None
            )
        keep = np.ones(len(event), np.bool_)
        keep[list(reasons)] = False
        rows = np.flatnonzero(keep)
        marks = event.after_gap.copy()
        marks[0] |= due
        for row in reasons:
            marks[row + 1 : row + 2] = True
        due = bool(len(event) - 1 in reasons) or (due and not len(rows))
        if len(rows):
            yield _taken(replace(event, after_gap=marks), rows)


def _taken(block: Block, rows: np.ndarray[tuple[int], np.dtype[np.int64]]) -> Block:
    if len(rows) == len(block):
        return block
    arrays = ("start", "captured", "wire", "ts", "record_offset", "record_length", "position", "link_type")
    new = {name: getattr(block, name)[rows] for name in (*arrays, "interface_id", "after_gap")}
    timed = None if block.ts_valid is None else block.ts_valid[rows]
    places = {int(row): place for place, row in enumerate(rows.tolist())}
    comments = {places[row]: text for row, text in block.comments.items() if row in places}
    return replace(block, **new, ts_valid=timed, comments=comments)
