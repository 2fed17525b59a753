"""Reads captures whole, row by row, for tests."""

from __future__ import annotations

import io
from dataclasses import dataclass, field

from forensics.loaders._reader import Stretch
from forensics.loaders.captures._container import Block, Interface, Loss, blocks


@dataclass(frozen=True)
class Row:
    position: int
    ts: int | None
    wire: int
    captured: int
    offset: int
    length: int
    after_gap: bool
    interface: Interface
    comment: str | None
    data: bytes
    link_type: int


@dataclass
class Read:
    rows: list[Row] = field(default_factory=list)
    stretches: list[Stretch] = field(default_factory=list)
    losses: list[Loss] = field(default_factory=list)

    @property
    def gaps(self) -> list[Stretch]:
        return [stretch for stretch in self.stretches if stretch.kind == "gap"]

    @property
    def places(self) -> set[tuple[int, int]]:
        return {(row.offset, row.length) for row in self.rows}

    def accounts_for(self, size: int) -> None:
        """All records and stretches together cover the source, and nothing twice."""
        spans = sorted([*self.places, *((stretch.offset_bytes, stretch.length_bytes) for stretch in self.stretches)])
        place = 0
        for offset, length in spans:
            assert offset == place, f"{place} to {offset} is {'twice' if offset < place else 'not'} accounted for"
            assert length > 0
            place += length
        assert place == size
        assert len(self.places) == len(self.rows)


def read(octets: bytes, chunk_bytes: int = 1 << 24) -> Read:
    found = Read()
    for event in blocks(io.BytesIO(octets), chunk_bytes=chunk_bytes):
        if isinstance(event, Stretch):
            found.stretches.append(event)
        elif isinstance(event, Loss):
            found.losses.append(event)
        else:
            found.rows += rows(event)
    return found


def rows(block: Block) -> list[Row]:
    listed = []
    for i in range(len(block)):
        low, size = int(block.start[i]), int(block.captured[i])
        assert low + size <= len(block.buffer)
        timed = block.ts_valid is None or bool(block.ts_valid[i])
        listed.append(
            Row(
                int(block.position[i]), int(block.ts[i]) if timed else None, int(block.wire[i]), size,
                int(block.record_offset[i]), int(block.record_length[i]), bool(block.after_gap[i]),
                block.interfaces[int(block.interface_id[i])], block.comments.get(i),
                block.buffer[low : low + size].tobytes(), int(block.link_type[i]),
            )
        )  # fmt: skip
    return listed
