"""Packet: captures read whole into a case, or scanned lazily for the columns and packets that are asked for."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from queue import Empty, LifoQueue
from types import ModuleType
from typing import Any, Generic, TypeVar

import numpy as np
import polars as pl

from forensics import _discovery
from forensics.errors import NotUnderstoodError
from forensics.evidence import PADDING, Stream
from forensics.loaders._paths import Paths, given
from forensics.loaders._reader import Batch, Cuts, Origin, Stretch
from forensics.loaders._scan import scan
from forensics.loaders.captures import _container
from forensics.loaders.captures._addresses import AddressBook
from forensics.loaders.captures._ahead import ahead
from forensics.loaders.captures._block import Block, Loss, Mark
from forensics.loaders.captures._packet_rows import NAMES, Place, first, frame, known, parts
from forensics.loaders.captures._window import CHUNK_BYTES
from forensics.records import Packet, Record

R = TypeVar("R")

_PCAPNG = b"\x0a\x0d\x0d\x0a"
_HINT = "captures begin with the magic number of pcap or pcapng; `forensics formats` lists what else can be read"


def leaves() -> list[ModuleType]:
    """The leaf protocols: modules of this folder that say which packets are theirs."""
    return [module for module in _discovery.modules(__package__ or "") if hasattr(module, "WANTS")]


@dataclass(frozen=True, slots=True)
class CaptureReader:
    """Reads captures of one container format."""

    name: str
    reference: str
    record: type[Record] = Packet
    bases: tuple[type[Record], ...] = (Packet,)
    cores: int = 2

    @property
    def yields(self) -> tuple[type[Record], ...]:
        """Packet, and the records of all leaf protocols."""
        return (Packet, *(leaf.RECORD for leaf in leaves()))

    @property
    def spanning(self) -> tuple[type[Record], ...]:
        """The records of leaf protocols that remember."""
        return tuple(leaf.RECORD for leaf in leaves() if hasattr(leaf, "Memory"))

    def likeness(self, head: bytes, name: str) -> float:  # noqa: ARG002 - the magic number says it all
        """How sure it is that a file with these first octets is of this format."""
        return _container.likeness(head) if (head[:4] == _PCAPNG) == (self.name == "pcapng") else 0.0

    def batches(
        self,
        stream: Stream,
        origin: Origin,
        *,
        records: Collection[type[Record]] | None = None,
        cuts: Cuts = Cuts(0),  # noqa: B008 - frozen
    ) -> Iterator[Batch]:
        """Read the whole stream, one batch a chunk.

        Args:
            stream: The capture, decompressed, at its first octet.
            origin: Its label and its capture point.
            records: The records that are wanted; all where None.
            cuts: Where it is cut, and the slice to read; the stream is at its first octet.
        """
        place = Place(origin.source, origin.capture_point)
        mine = [Leaf(leaf) for leaf in leaves() if records is None or leaf.RECORD in records]
        whole = records is None or Packet in records
        pending = _Pending()
        work = _Decoding(partial(_wanted, place=place, leaves=mine, whole=whole))
        chunk_bytes = min(CHUNK_BYTES, cuts.every_bytes or CHUNK_BYTES)
        for part in ahead(_parts(_container.blocks(stream, chunk_bytes=chunk_bytes, cuts=cuts)), work):
            if isinstance(part, Stretch):
                pending.stretches.append(part)
            elif isinstance(part, Mark):
                yield replace(pending.batch({}, self.name), mark=part.state)
            elif isinstance(part, Loss):
                pending.losses.append(tuple(part))
            else:
                yield pending.batch(_records(part, mine), self.name)
        yield pending.batch({leaf.record: rows for leaf in mine if len(rows := leaf.rest())}, self.name)


class Leaf:
    """A leaf protocol at work on one capture; one that spans packets has a class ``Memory``, kept between chunks."""

    def __init__(self, module: ModuleType) -> None:
        self.record: type[Record] = module.RECORD
        self.wants: pl.Expr = module.WANTS
        self._memory = module.Memory() if hasattr(module, "Memory") else None
        self.read: Callable[[Block, pl.DataFrame], pl.DataFrame] = (self._memory or module).read

    def rest(self) -> pl.DataFrame:
        """What is complete only now that the capture has ended."""
        rows: pl.DataFrame = self._memory.rest() if self._memory is not None else self.record.empty()
        return rows


@dataclass(slots=True)
class _Pending:
    """Stretches and losses that wait for the next batch."""

    stretches: list[Stretch] = field(default_factory=list)
    losses: list[Any] = field(default_factory=list)

    def batch(self, rows: dict[type[Record], pl.DataFrame], name: str) -> Batch:
        batch = Batch(rows, tuple(self.stretches), tuple(self.losses), {"format": name})
        self.stretches, self.losses = [], []
        return batch


@dataclass(slots=True)
class _Found:
    """What is decoded of a block: all its packets where they are wanted, and those of each leaf."""

    block: Block
    packets: pl.DataFrame | None
    theirs: list[pl.DataFrame]


class _Decoding(Generic[R]):
    """Work on blocks that several threads do at a time, each with an address book of its own; other events pass."""

    def __init__(self, work: Callable[[Block, AddressBook], R]) -> None:
        self._work = work
        self._books: LifoQueue[AddressBook] = LifoQueue()

    def __call__(self, event: Block | Stretch | Loss | Mark) -> R | Stretch | Loss | Mark:
        if not isinstance(event, Block):
            return event
        try:
            book = self._books.get_nowait()
        except Empty:
            book = AddressBook()
        found = self._work(event, book)
        self._books.put(book)
        return found


def _wanted(block: Block, book: AddressBook, *, place: Place, leaves: list[Leaf], whole: bool) -> _Found:
    packets = frame(block, place, NAMES, None, book) if whole else None
    theirs = [
        _filtered(block, place, book, NAMES, leaf.wants) if packets is None else packets.filter(leaf.wants)
        for leaf in leaves
    ]
    return _Found(block, packets, theirs)


def _records(found: _Found, leaves: list[Leaf]) -> dict[type[Record], pl.DataFrame]:
    """What one block holds of each record; leaves are asked in the order of the capture, for they may remember."""
    rows: dict[type[Record], pl.DataFrame] = {} if found.packets is None else {Packet: found.packets}
    for leaf, theirs in zip(leaves, found.theirs, strict=True):
        if len(theirs):
            rows[leaf.record] = leaf.read(found.block, theirs)
    return rows


def _parts(events: Iterator[Block | Stretch | Loss | Mark]) -> Iterator[Block | Stretch | Loss | Mark]:
    """The events of a container, blocks in parts."""
    for event in events:
        if isinstance(event, Block):
            yield from parts(event)
        else:
            yield event


def _filtered(block: Block, place: Place, book: AddressBook, names: Sequence[str], predicate: pl.Expr) -> pl.DataFrame:
    """Late decode: only the columns that the predicate looks at, then the others of the packets that pass."""
    looked_at = list(dict.fromkeys(predicate.meta.root_names())) or ["position"]
    if set(names) <= set(looked_at):
        return frame(block, place, looked_at, None, book).filter(predicate).select(names)
    passed = _passing(frame(block, place, looked_at, None, book), predicate)
    if len(passed) == len(block):
        return frame(block, place, names, None, book)
    return frame(block, place, names, passed, book)


def _passing(packets: pl.DataFrame, predicate: pl.Expr) -> np.ndarray[Any, np.dtype[np.int64]]:
    counted = packets.with_row_index("row of the block").filter(predicate)
    return counted.get_column("row of the block").to_numpy().astype(np.int64)


def scan_packets(paths: Paths) -> pl.LazyFrame:
    """Packets of captures as a lazy frame: only what a query asks for is read and decoded.

    Args:
        paths: A file, a folder, a pattern such as ``"compute*.pcap"``, a binary file object, ``"-"`` for standard
            input, or a list of these. Captures are pcap or pcapng, compressed or not. A file whose name is that of a
            pattern is meant itself. Rows come file after file, in the order
            given; those of a pattern or a folder in the order of names.

    Returns:
        One row a packet, with the columns of `forensics.records.Packet`. A damaged stretch is left out with a warning,
        and the packet behind it has ``after_gap``.

    Raises:
        EvidenceError: If there is no such file.

    Examples:
        >>> import io
        >>> header = bytes.fromhex("d4c3b2a1 0200 0400 00000000 00000000 ffff0000 01000000")
        >>> record = bytes.fromhex("00000000 01000000 0e000000 0e000000 ffffffffffff fa163e24e722 0806")
        >>> scan_packets(io.BytesIO(header + record)).select("position", "eth_src", "ethertype").collect().row(0)
        (1, 'fa:16:3e:24:e7:22', 2054)
    """
    files = given(paths, Packet)
    return scan(Packet, partial(rows, files), repeatable=all(file.repeatable for file in files))


def rows(
    paths: Paths,
    with_columns: Sequence[str] | None = None,
    predicate: pl.Expr | None = None,
    n_rows: int | None = None,
    batch_size: int | None = None,  # noqa: ARG001 - batches are as large as chunks make them
) -> Iterator[pl.DataFrame]:
    """Rows of captures, in the order of the captures and of their packets.

    Args:
        paths: Captures, as `scan_packets` takes them.
        with_columns: Columns wanted, in that order; all where None.
        predicate: Rows wanted; of the others only the columns that it looks at are decoded.
        n_rows: Rows looked at, before the predicate; reading stops there.
        batch_size: Taken for the sake of polars.

    Yields:
        Frames of at most 32,768 rows; of none where no packet of a chunk passed.

    Raises:
        UnknownColumnError: If Packet has no such column.
        EvidenceError: If a file cannot be read.
        NotUnderstoodError: If a file is no capture.
    """
    names = list(NAMES) if with_columns is None else list(with_columns)
    known([*names, *(predicate.meta.root_names() if predicate is not None else [])])
    limit = _Limit(n_rows)
    for capture in given(paths, Packet):
        if limit.reached:
            return
        with capture.open() as stream:
            head = stream.peek(64)
            if head and not _container.likeness(head):
                raise NotUnderstoodError("is no capture", where=capture.label, hint=_HINT)
            place = Place(capture.label, capture.point)
            work = _Decoding(partial(_asked, place=place, names=names, predicate=predicate))
            gaps = []
            for part in ahead(limit.of(_parts(_container.blocks(stream))), work):
                if isinstance(part, pl.DataFrame):
                    yield part
                elif isinstance(part, Stretch) and part.kind == "gap":
                    gaps.append(part)
            if not limit.reached:
                _warn(capture.label, gaps, stream)


def _asked(
    block: Block, book: AddressBook, *, place: Place, names: Sequence[str], predicate: pl.Expr | None
) -> pl.DataFrame:
    if predicate is None:
        return frame(block, place, names, None, book)
    # a frame though nothing may have passed: whoever wants no more can only say so between two frames
    return _filtered(block, place, book, names, predicate)


class _Limit:
    """Stops reading where so many packets have been read as are wanted."""

    def __init__(self, rows: int | None) -> None:
        self.left = rows

    @property
    def reached(self) -> bool:
        return self.left is not None and self.left <= 0

    def of(self, events: Iterator[Block | Stretch | Loss | Mark]) -> Iterator[Block | Stretch | Loss | Mark]:
        """These events, as far as they are wanted."""
        for event in events:
            if self.left is not None and isinstance(event, Block):
                event = first(event, self.left)
                self.left -= len(event)
            yield event
            if self.reached:
                return


def _warn(label: str, gaps: list[Stretch], stream: Stream) -> None:
    """Say what was left out, once a capture was read to its end."""
    if gaps:
        octets = sum(gap.length_bytes for gap in gaps)
        where = f"{label}: octet {gaps[0].offset_bytes}"
        warnings.warn(
            f"{where}: {octets} octets in {len(gaps)} places are damaged and left out: {gaps[0].reason}", stacklevel=3
        )
    for offset, reason in stream.gaps:
        if not reason.startswith(PADDING):
            warnings.warn(f"{label}: octet {offset}: {reason}", stacklevel=3)


READERS = (
    CaptureReader("pcap", "https://www.ietf.org/archive/id/draft-ietf-opsawg-pcap-05.html"),
    CaptureReader("pcapng", "https://www.ietf.org/archive/id/draft-ietf-opsawg-pcapng-03.html"),
)
