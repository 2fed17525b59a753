"""A classic capture file, as blocks of packet records."""

from __future__ import annotations

import base64
from collections.abc import Iterator, Mapping
from dataclasses import asdict
from functools import partial
from typing import Any

import numpy as np

from forensics.loaders._reader import Cuts, Stretch
from forensics.loaders.captures._block import Block, Interface, Loss, Mark
from forensics.loaders.captures._follow import Follower, Run
from forensics.loaders.captures._pcap_format import PcapHeader
from forensics.loaders.captures._pcap_framing import Clock, PcapFraming
from forensics.loaders.captures._window import Window


def blocks(window: Window, head: PcapHeader, cuts: Cuts) -> Iterator[Block | Stretch | Loss | Mark]:
    """Read the records behind a file header.

    Args:
        window: The stream, its first chunk read.
        head: Its file header.
        cuts: Where it is cut.
    """
    interface = Interface(1, 0, head.link_type, head.snap_bytes)
    clock = Clock() if cuts.mark is None else _clock_of(cuts.mark)
    framing = partial(PcapFraming, head, clock=clock)
    follower = Follower(window, framing, head.header_bytes, cuts, partial(_state, clock))
    position, header_due = (1, True) if cuts.mark is None else (cuts.mark["position"], cuts.mark["header_due"])
    for run in follower.runs():
        if run.mark is not None:
            yield Mark({**run.mark, "pcap": asdict(head), "position": position, "header_due": header_due})
        if header_due and (len(run.starts) or run.gaps):
            header_due = False
            if not run.gaps or run.gaps[0].low:
                kind, reason = ("gap", head.note) if head.note else ("framing", "pcap file header")
                yield Stretch(0, head.header_bytes, kind, reason)
        if len(run.starts):
            yield _block(run, head, interface, position)
        for gap in run.gaps:
            before = position + gap.record - 1
            yield Stretch(gap.low, gap.high - gap.low, "gap", gap.reason, before or None)
        position += len(run.starts)
    if header_due:
        yield Stretch(0, min(head.header_bytes, len(window)), "framing", "pcap file header")  # it may be cut


def _state(clock: Clock) -> dict[str, Any]:
    """What a clock remembers, as plain values; no field of a header has more than 32 bits."""
    headers = base64.b64encode(clock.headers.astype("<u4").tobytes()).decode("ascii")
    return {"last_s": clock.last_s, "steps_back": clock.steps_back, "headers": headers}


def _clock_of(state: Mapping[str, Any]) -> Clock:
    clock = Clock()
    clock.last_s, clock.steps_back = state["last_s"], state["steps_back"]
    clock.headers = np.frombuffer(base64.b64decode(state["headers"]), "<u4").astype(np.int64).reshape(4, -1)
    return clock


def _block(run: Run, head: PcapHeader, interface: Interface, position: int) -> Block:
    framing = run.framing
    assert isinstance(framing, PcapFraming)
    fields = framing.fields(run.starts)
    count = len(run.starts)
    # 2**32 seconds are 4.3e18 ns, half of what 63 bits hold: no stamp of a pcap overflows.
    ts = fields.seconds * 1_000_000_000 + fields.fraction * 10 ** (9 - head.digits)
    return Block(
        buffer=framing.buffer,
        base_offset=run.base,
        start=run.starts + head.record_bytes,
        captured=fields.captured,
        wire=fields.wire,
        ts=ts,
        ts_valid=None,
        record_offset=run.starts + run.base,
        record_length=run.after - run.starts,
        position=np.arange(position, position + count, dtype=np.int64),
        link_type=np.full(count, head.link_type, np.uint16),
        interface_id=np.zeros(count, np.uint32),
        after_gap=run.after_gap,
        interfaces=(interface,),
    )
