"""What a container hands on: the packet records of one chunk, as arrays, and the interfaces they came in by."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

LINK_TYPE_UNKNOWN = 0xFFFF
"""Stands where a pcapng packet names an interface that no sound block describes."""


class Loss(NamedTuple):
    """A loss that the capture itself admits, as `forensics.loaders._reader.Batch.losses` takes it.

    ``count`` packets were lost, which was said at ``ts`` (nanoseconds since 1970), at or after the frame ``position``.
    """

    ts: int | None
    position: int | None
    kind: str
    count: int | None  # type: ignore[assignment]  # hides tuple.count, which nobody asks


@dataclass(frozen=True, slots=True)
class Mark:
    """A cut: what has been read so far needs nothing of what follows."""

    state: Mapping[str, Any]
    """All that is known here, as plain values; see `forensics.loaders._reader.Cuts`."""


@dataclass(frozen=True, slots=True)
class Interface:
    """A capturing interface, as the file describes it."""

    section: int
    """Section of the file, from 1 (a pcap has one)."""
    number: int
    """Number inside its section, as tshark's ``frame.interface_id``."""
    link_type: int
    """LINKTYPE_ value, without the FCS bits."""
    snap_bytes: int
    """Octets kept of a packet at most; 0 where there is no limit."""
    units: tuple[int, int] = (10, 6)
    """Base and negative exponent of the resolution: ``(10, 6)`` is a microsecond, ``(2, 10)`` 1/1024 s."""
    offset_s: int = 0
    """Seconds that stand before every stamp (if_tsoffset)."""
    name: str | None = None
    description: str | None = None
    filter: str | None = None
    described: bool = True
    """False where packets name it, but its description is lost: its stamps cannot be read."""


@dataclass(frozen=True, slots=True)
class Block:
    """Packet records of one chunk, one row a record, in file order.

    All arrays have ``n`` rows. ``start + captured <= len(buffer)`` holds for every row,
    and ``record_offset`` to ``record_offset + record_length`` covers the whole record:
    header, data, padding, options and trailer.
    """

    buffer: npt.NDArray[np.uint8]
    """The chunk. Owned, read-only, never written again: views of it may live on."""
    base_offset: int
    """Where ``buffer[0]`` lies in the source, decompressed."""
    start: npt.NDArray[np.int64]
    """Index in ``buffer`` of the packet's first captured octet."""
    captured: npt.NDArray[np.int64]
    """Octets that the file holds of the packet."""
    wire: npt.NDArray[np.int64]
    """Octets that it had on the wire, as the record says (may be less than ``captured``: some writers do that)."""
    ts: npt.NDArray[np.int64]
    """Nanoseconds since 1970; 0 where ``ts_valid`` is False."""
    ts_valid: npt.NDArray[np.bool_] | None
    """None where every row has a time."""
    record_offset: npt.NDArray[np.int64]
    """Where the record starts in the source, decompressed."""
    record_length: npt.NDArray[np.int64]
    """Octets of the whole record."""
    position: npt.NDArray[np.int64]
    """Frame number as Wireshark counts, from 1."""
    link_type: npt.NDArray[np.uint16]
    """LINKTYPE_ value, or `LINK_TYPE_UNKNOWN`."""
    interface_id: npt.NDArray[np.uint32]
    """Index into ``interfaces``: counted over all sections, so that it names one interface of the file."""
    after_gap: npt.NDArray[np.bool_]
    """True on the first row after a damaged stretch."""
    interfaces: tuple[Interface, ...]
    """All interfaces met so far, by ``interface_id``."""
    comments: Mapping[int, str] = field(default_factory=dict)
    """Comment of a packet, by row."""

    def __len__(self) -> int:
        return len(self.start)

    @property
    def interface(self) -> list[str | None]:
        """Name of each interface, by ``interface_id``; None where the file has none."""
        return [interface.name for interface in self.interfaces]
