"""Chosen lines of a log and chosen rows of a document, written so that they still are a log and a document."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import IO

from forensics.bundle._captures import Kept
from forensics.bundle._sql import Around, Numbers, row_of
from forensics.bundle._text import Text, chunks
from forensics.case._cite import ranges
from forensics.evidence import EvidenceFile, open_stream

SMALL_BYTES = 1 << 16
"""A listing up to this size is shared whole: its lines mean nothing without its head and each other."""
_CHUNK_BYTES = 1 << 20
SQL = frozenset(("mysqldump", "pg_dump"))
JSON = frozenset(("notifications",))


@dataclass(frozen=True, slots=True)
class Place:
    """A line or a row of the original."""

    position: int
    offset_bytes: int
    length_bytes: int


Shown = Callable[[bytes], bytes]


class _Out:
    """Counts the lines that were written."""

    def __init__(self, out: IO[bytes]) -> None:
        self._out = out
        self.line = 1

    def write(self, data: bytes) -> None:
        self._out.write(data)
        self.line += data.count(b"\n")


def lines(
    file: EvidenceFile,
    out: IO[bytes],
    places: Sequence[Place],
    cited: Iterable[int],
    text: Text,
    digest: Callable[[bytes], str],
    *,
    head: bool = False,
) -> list[Kept]:
    """Write log records with their continuation lines, or lines of a table below its first one."""
    told, kept, writer = set(cited), [], _Out(out)
    if head and places:
        with open_stream(file) as stream:
            first = stream.peek(SMALL_BYTES).partition(b"\n")
        if places[0].offset_bytes >= len(first[0]) + 1:
            writer.write(text.octets(first[0] + first[1]))
    found = ranges(file, [(place.offset_bytes, place.length_bytes) for place in places])
    for place in places:
        raw = found[place.offset_bytes, place.length_bytes]
        if place.position in told:
            kept.append(Kept(place.position, place.offset_bytes, place.length_bytes, digest(raw), writer.line))
        writer.write(text.octets(raw) + (b"" if raw.endswith(b"\n") else b"\n"))
    return kept


def rows(
    file: EvidenceFile,
    out: IO[bytes],
    places: Sequence[Place],
    text: Text,
    shown: Numbers,
    digest: Callable[[bytes], str],
) -> list[Kept]:
    """Write rows of a dump: its head, the definition of each table concerned, and a statement for each run of rows."""
    found = ranges(file, [(place.offset_bytes, place.length_bytes) for place in places])
    by_offset = {place.offset_bytes: place for place in places}
    kept, writer = [], _Out(out)

    def put(octets: bytes) -> None:
        for one in octets.splitlines(keepends=True):
            writer.write(text.octets(shown(one)))

    for octets, offset in Around(sorted(by_offset)).lines(_numbered(file)):
        put(octets)
        if offset is not None:
            place = by_offset[offset]
            raw = found[place.offset_bytes, place.length_bytes]
            kept.append(Kept(place.position, offset, place.length_bytes, digest(raw), writer.line))
            put(row_of(raw))
    return kept


def elements(
    file: EvidenceFile, out: IO[bytes], places: Sequence[Place], text: Text, digest: Callable[[bytes], str]
) -> list[Kept]:
    """Write elements of a JSON array, or JSON values one a line."""
    found = ranges(file, [(place.offset_bytes, place.length_bytes) for place in places])
    with open_stream(file) as stream:
        array = stream.peek(SMALL_BYTES).lstrip(b"\xef\xbb\xbf \t\r\n").startswith(b"[")
    kept, writer = [], _Out(out)
    writer.write(b"[\n" if array else b"")
    for n, place in enumerate(places):
        raw = found[place.offset_bytes, place.length_bytes]
        writer.write(b",\n" if array and n else b"")
        kept.append(Kept(place.position, place.offset_bytes, place.length_bytes, digest(raw), writer.line))
        writer.write(text.octets(raw.strip(b" \t\r\n,")) + (b"" if array else b"\n"))
    writer.write(b"\n]\n" if array else b"")
    return kept


def whole(
    file: EvidenceFile,
    out: IO[bytes],
    places: Sequence[Place],
    text: Text,
    shown: Shown | None,
    digest: Callable[[bytes], str],
) -> list[Kept]:
    """Write all of a document; its lines stay where they are."""
    for part in chunks(_parts(file)):
        for line in part.splitlines(keepends=True) if shown is not None else (part,):
            out.write(text.octets(shown(line) if shown is not None else line))
    found = ranges(file, [(place.offset_bytes, place.length_bytes) for place in places])
    return [
        Kept(
            place.position,
            place.offset_bytes,
            place.length_bytes,
            digest(found[place.offset_bytes, place.length_bytes]),
            place.position,
        )
        for place in places
    ]


def is_small(file: EvidenceFile) -> bool:
    """Whether a document is shared whole."""
    with open_stream(file) as stream:
        return len(stream.peek(SMALL_BYTES + 1)) <= SMALL_BYTES


def is_text(file: EvidenceFile) -> bool:
    """Whether a file that nobody understood is text, in which secrets can be found."""
    last = b""
    for part in _parts(file):
        if b"\0" in part:
            return False
        last += part
        try:
            last.decode("utf-8")
            last = b""
        except UnicodeDecodeError as error:
            if error.end < len(last) or error.reason != "unexpected end of data":
                return False
            last = last[error.start :]
    return not last


def _parts(file: EvidenceFile) -> Iterator[bytes]:
    with open_stream(file) as stream:
        while part := stream.read(_CHUNK_BYTES):
            yield part


def _numbered(file: EvidenceFile) -> Iterator[tuple[int, bytes]]:
    offset = 0
    for part in chunks(_parts(file)):
        for line in part.splitlines(keepends=True):
            yield offset, line
            offset += len(line)
