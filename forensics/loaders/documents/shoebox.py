"""Archives of StackTach's third version: notifications as JSON, each in a binary record."""

from __future__ import annotations

import struct
from collections.abc import Collection, Iterator
from dataclasses import dataclass

import polars as pl

from forensics.evidence import Stream
from forensics.loaders._reader import Batch, Origin, Stretch
from forensics.loaders.documents._notification import READABLE, notification_rows
from forensics.records import Notification, Record

_MAGIC = 0x69867884
_VERSION = 1
_PREAMBLE_BYTES, _HEAD_BYTES = 6, 18
CHUNK_BYTES = 8 << 20
_MOST_BYTES = 64 << 20


@dataclass(frozen=True, slots=True)
class _Order:
    """Octet order of the machine that wrote it."""

    sign: str

    @property
    def start(self) -> bytes:
        """How each record begins."""
        return struct.pack(f"{self.sign}ih", _MAGIC, _VERSION)

    def lengths(self, octets: bytes, at: int) -> tuple[int, int] | None:
        """Lengths of the two blocks behind a head; None where it is none."""
        magic, version, metadata, raw, zero = struct.unpack_from(f"{self.sign}ihiii", octets, at)
        sound = magic == _MAGIC and version == _VERSION and zero == 0 and metadata >= 4 and raw >= 4
        return (metadata, raw) if sound and metadata + raw <= _MOST_BYTES else None

    def text(self, octets: bytes, at: int, raw: int) -> str:
        """The JSON of a block."""
        size = struct.unpack_from(f"{self.sign}i", octets, at)[0]
        return octets[at + 4 : at + 4 + min(max(size, 0), raw - 4)].decode("utf-8", "replace")


_ORDERS = (_Order("<"), _Order(">"))


class _Shoebox:
    """Reader of archives: see `forensics.loaders._reader.Reader`."""

    name = "shoebox"
    record: type[Record] = Notification
    bases: tuple[type[Record], ...] = (Notification,)
    yields: tuple[type[Record], ...] = (Notification,)
    reference = "openstack/stacktach-shoebox shoebox/disk_storage.py, version 1"

    def likeness(self, head: bytes, name: str) -> float:  # noqa: ARG002 - the content tells
        """See `Reader`."""
        return 1.0 if any(head.startswith(order.start) for order in _ORDERS) else 0.0

    def batches(
        self, stream: Stream, origin: Origin, *, records: Collection[type[Record]] | None = None
    ) -> Iterator[Batch]:
        """See `Reader`."""
        head = stream.peek(_PREAMBLE_BYTES)
        order = next((one for one in _ORDERS if head.startswith(one.start)), _ORDERS[0])
        wanted = records is None or Notification in records
        rest, offset, number, ended = b"", 0, 0, False
        while not ended:
            more = stream.read(max(CHUNK_BYTES, len(rest)))
            ended = not more
            octets = rest + more
            texts, places, stretches, at = _records(octets, offset, order, ended)
            yield _batch(texts, places, number, stretches, origin.source if wanted else None)
            number += len(texts)
            offset, rest = offset + at, octets[at:]


READERS = (_Shoebox(),)


def _records(
    octets: bytes, offset: int, order: _Order, ended: bool
) -> tuple[list[str], list[tuple[int, int]], list[Stretch], int]:
    """Texts and places of whole records, what lies between them, and how far that goes."""
    texts: list[str] = []
    places: list[tuple[int, int]] = []
    stretches: list[Stretch] = []
    at = 0
    while at < len(octets):
        lengths = order.lengths(octets, at) if at + _HEAD_BYTES <= len(octets) else None
        if lengths is None and at + _HEAD_BYTES > len(octets) and not ended:
            break
        end = at + _HEAD_BYTES + sum(lengths) if lengths else len(octets) + 1
        if lengths and end <= len(octets):
            texts.append(order.text(octets, at + _HEAD_BYTES + lengths[0], lengths[1]))
            places.append((offset + at, end - at))
            at = end
            continue
        if lengths and not ended:
            break
        next_ = octets.find(order.start, at + 1)
        end = next_ if next_ >= 0 else len(octets) if ended else max(len(octets) - _PREAMBLE_BYTES, at)
        if end == at:
            break
        stretches.append(Stretch(offset + at, end - at, "reject", "no whole record of an archive"))
        at = end
        if next_ < 0:
            break
    return texts, places, stretches, at


def _batch(
    texts: list[str], places: list[tuple[int, int]], number: int, stretches: list[Stretch], source: str | None
) -> Batch:
    if not texts or source is None:
        return Batch({}, tuple(stretches))
    where = pl.DataFrame(places, schema=["offset_bytes", "length_bytes"], orient="row").with_columns(
        position=pl.int_range(number + 1, number + 1 + len(places), dtype=pl.Int64), source=pl.lit(source)
    )
    return Batch({Notification: notification_rows(pl.Series(texts), where).drop(READABLE)}, tuple(stretches))
