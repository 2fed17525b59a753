"""Which compression a file has, and how gzip, xz and bzip2 are decoded in small steps."""

from __future__ import annotations

import bz2
import lzma
import zlib
from collections.abc import Callable, Iterator
from contextlib import suppress
from itertools import chain
from typing import Protocol

from forensics.evidence._frames import Lz4, Zstandard
from forensics.evidence._members import OUTPUT_BYTES, STEP_BYTES, Format, Gap, Input, Member, Pieces, decoded

_DEPTH = 4
"""Compressed data inside compressed data is followed that far."""
_HEAD_BYTES = 512
_HEADER_LIMIT_BYTES = 1 << 18
_XZ_MEMORY_BYTES = 1 << 28
"""Enough for ``xz -9`` (65 MiB, xz(1)); a header may ask for 4 GiB."""


class Gzip:
    """RFC 1952: members of a header, a deflate stream (RFC 1951) and a checksum."""

    name = "gzip"
    magic = b"\x1f\x8b\x08"
    suffixes = (".gz", ".tgz")

    def likely(self, head: bytes) -> bool:
        """A header as compressors write it, followed by what can be deflate."""
        if len(head) < 10 or not head.startswith(self.magic) or head[3] & 0xE0:
            return False
        if head[8] not in (0, 2, 4) or (head[9] > 13 and head[9] != 255):  # RFC 1952 section 2.3.1: XFL, OS
            return False
        length = _header_bytes(head, head[3])
        return length is None or _inflated(head[length:])[0]

    def member(self, source: Input) -> Member:
        """Inflate until the stream ends or fails; what was inflated before is kept."""
        start = source.offset
        head = source.ahead(1024)
        lengths = _header_lengths(head)
        if lengths[:1] == [None]:
            head = source.ahead(_HEADER_LIMIT_BYTES)
            lengths = _header_lengths(head)
        length = lengths[0]
        if length is None or not _inflated(head[length : length + 512])[0]:
            for other in lengths[1:]:
                if other is not None and _inflated(head[other : other + 512]) > (True, 64):
                    length = other
        if length is None:
            if len(head) < _HEADER_LIMIT_BYTES:
                source.skip(len(head))
                yield Gap(f"cut off: the file ends inside the header of the gzip member at octet {start}")
            return False
        if length not in lengths[:1] or head[:3] != self.magic or head[3] & 0xE0:
            yield Gap(f"the header of the gzip member at octet {start} is damaged")
        source.skip(length)
        checksum, size = 0, 0
        for piece in (inflation := Inflation(source)):
            checksum = zlib.crc32(piece, checksum)
            size += len(piece)
            yield piece
        if not inflation.ended:
            if not source.ahead(1):
                yield Gap(f"cut off: the file ends inside the gzip member at octet {start}")
            return False
        trailer = source.ahead(8)
        source.skip(8)
        if len(trailer) < 8:
            yield Gap(f"cut off: the file ends inside the checksum of the gzip member at octet {start}")
        elif trailer != checksum.to_bytes(4, "little") + (size & 0xFFFFFFFF).to_bytes(4, "little"):
            yield Gap(
                f"the checksum of the gzip member at octet {start} does not match: its data is damaged or changed"
            )
        return True


def _header_bytes(head: bytes, flags: int) -> int | None:
    """Length of a gzip header; None if ``head`` ends inside it."""
    at = 10
    if flags & 4:  # FEXTRA
        at += 2 + int.from_bytes(head[10:12], "little")
    for flag in (8, 16):  # FNAME, FCOMMENT
        if flags & flag:
            at = head.find(b"\0", at) + 1
            if at == 0:
                return None
    at += flags & 2  # FHCRC: two octets
    return at if at <= len(head) else None


def _header_lengths(head: bytes) -> list[int | None]:
    """How long the header is, and how long it would be if its flags were damaged."""
    flags = head[3] if len(head) > 3 else 0
    return [_header_bytes(head, tried) for tried in (flags & 0x1F, 0, 8)]


def _inflated(data: bytes) -> tuple[bool, int]:
    """Whether this can be the beginning of a deflate stream, and how many octets it gives."""
    with suppress(zlib.error):
        return True, len(zlib.decompressobj(-15).decompress(data, OUTPUT_BYTES))
    inflater = zlib.decompressobj(-15)
    size = 0
    try:
        for octet in range(len(data)):
            size += len(inflater.decompress(data[octet : octet + 1]))
    except zlib.error:
        return False, size
    return True, size


class Inflation:
    """Iterates over the inflated pieces of one deflate stream; leaves the source behind its last good octet."""

    def __init__(self, source: Input) -> None:
        self._source = source
        self.ended = False

    def __iter__(self) -> Iterator[bytes]:
        source = self._source
        inflater = zlib.decompressobj(-15)
        step = 1 << 12  # small at first: a file may consist of many tiny members
        fresh = True
        while data := source.ahead(step):
            # zlib throws away what it inflated before the octet that fails, so keep the state to go back to.
            before = None if fresh else inflater.copy()
            fresh = False
            while True:
                try:
                    piece = inflater.decompress(data, OUTPUT_BYTES)
                except zlib.error:
                    yield from self._one_by_one(before or zlib.decompressobj(-15), data)
                    return
                rest = inflater.unused_data or inflater.unconsumed_tail
                source.skip(len(data) - len(rest))
                if piece:
                    yield piece
                if inflater.eof:
                    self.ended = True
                    return
                if not rest and len(piece) < OUTPUT_BYTES:
                    break
                data = rest
                before = inflater.copy()
            step = min(step * 2, STEP_BYTES)

    def _one_by_one(self, inflater: zlib._Decompress, data: bytes) -> Iterator[bytes]:
        for octet in range(len(data)):
            try:
                piece = inflater.decompress(data[octet : octet + 1])
            except zlib.error:
                return
            self._source.skip(1)
            if piece:
                yield piece


class _Decompressor(Protocol):
    @property
    def eof(self) -> bool: ...
    @property
    def needs_input(self) -> bool: ...
    @property
    def unused_data(self) -> bytes: ...
    def decompress(self, data: bytes, max_length: int = -1) -> bytes: ...


def _stepwise(name: str, source: Input, make: Callable[[], _Decompressor]) -> Member:
    """Decode one member with a decompressor of the standard library."""
    start = source.offset
    decompressor = make()
    size = 0
    while not decompressor.eof:
        data = source.ahead(STEP_BYTES) if decompressor.needs_input else b""
        if decompressor.needs_input and not data:
            yield Gap(f"cut off: the file ends inside the {name} member at octet {start}")
            return False
        try:
            piece = decompressor.decompress(data, STEP_BYTES)
        except (OSError, EOFError, ValueError, lzma.LZMAError):
            if source.again is not None:
                yield from _rest(source.again(start), make(), size)
            return False
        source.skip(len(data))
        size += len(piece)
        if piece:
            yield piece
    source.rewind(source.offset - len(decompressor.unused_data))
    return True


def _rest(source: Input, decompressor: _Decompressor, done: int) -> Iterator[bytes]:
    """What a decompressor gives after ``done`` octets, up to its error: that throws away the output of its call."""
    size = 0
    try:
        while not decompressor.eof:
            data = source.ahead(STEP_BYTES) if decompressor.needs_input else b""
            source.skip(len(data))
            piece = decompressor.decompress(data, max(min(STEP_BYTES, done - size), 1))
            if size >= done and piece:
                yield piece
            size += len(piece)
    except (OSError, EOFError, ValueError, lzma.LZMAError):
        return


class Xz:
    """The .xz format 1.2.1: streams of blocks."""

    name = "xz"
    magic = b"\xfd7zXZ\0"
    suffixes = (".xz", ".txz")

    def likely(self, head: bytes) -> bool:
        """Stream header: magic, flags and their CRC32 (section 2.1.1)."""
        return head.startswith(self.magic) and zlib.crc32(head[6:8]) == int.from_bytes(head[8:12], "little")

    def member(self, source: Input) -> Member:
        """Decode one stream."""
        make: Callable[[], _Decompressor] = lambda: lzma.LZMADecompressor(lzma.FORMAT_XZ, _XZ_MEMORY_BYTES)  # noqa: E731
        return (yield from _stepwise(self.name, source, make))


class Bzip2:
    """bzip2: streams of blocks of up to 900,000 octets."""

    name = "bzip2"
    magic = b"BZh"
    suffixes = (".bz2", ".tbz2")

    def likely(self, head: bytes) -> bool:
        """Magic, block size, and the first digits of pi or, in an empty stream, of its square root."""
        return head.startswith(self.magic) and head[3:4] in b"123456789" and head[4:10] in (_BLOCK, _END)

    def member(self, source: Input) -> Member:
        """Decode one stream."""
        return (yield from _stepwise(self.name, source, bz2.BZ2Decompressor))


_BLOCK = bytes.fromhex("314159265359")
_END = bytes.fromhex("177245385090")

_FORMATS: tuple[Callable[[], Format], ...] = (Gzip, Xz, Bzip2, Zstandard, Lz4)


def compression_of(head: bytes, name: str = "") -> Format | None:
    """The compression that the first octets of a file show; its name counts only where a magic number is damaged.

    Examples:
        >>> compression_of(b"BZh91AY&SY").name
        'bzip2'
        >>> compression_of(b"Feb 15 01:40:18 controller") is None
        True
    """
    forms = [make() for make in _FORMATS]
    for form in forms:
        if form.likely(head):
            return form
    for form in forms:
        if len(head) > 1 and (head.startswith(form.magic) or form.magic.startswith(head)):
            return form  # cut off or damaged right behind the magic number
    for form in forms:
        if name.lower().endswith(form.suffixes) and _alike(head, form.magic):
            return form
    return None


def _alike(head: bytes, magic: bytes) -> bool:
    """Whether all octets of a magic number but one are there."""
    return len(head) > len(magic) and sum(a != b for a, b in zip(head, magic, strict=False)) == 1


def pieces(source: Input, name: str) -> tuple[str | None, Pieces]:
    """Decompress a source, and what is compressed inside it again.

    Returns:
        The compressions, innermost first (``gzip``, ``gzip in xz``), None for none; the pieces.
    """
    form = compression_of(source.ahead(_HEAD_BYTES), name)
    if form is None:
        return None, iter(())
    names = [form.name]
    result = decoded(form, source)
    while len(names) < _DEPTH:
        first: list[bytes | Gap] = []
        head = b""
        for piece in result:
            first.append(piece)
            head += piece if isinstance(piece, bytes) else b""
            if len(head) >= _HEAD_BYTES:
                break
        result = chain(first, result)
        inner = compression_of(head[:_HEAD_BYTES])
        if inner is None:
            break
        names.append(inner.name)
        result = _nested(inner, result)
    return " in ".join(reversed(names)), result


def _nested(form: Format, outer: Pieces) -> Pieces:
    """Decode what a decoder gives; gaps of the outer layer are passed on where they are met."""
    gaps: list[Gap] = []
    rest = bytearray()

    def pull(size: int) -> bytes:
        while len(rest) < size:
            piece = next(outer, None)
            if piece is None:
                break
            if isinstance(piece, Gap):
                gaps.append(piece)
            else:
                rest.extend(piece)
        taken = bytes(rest[:size])
        del rest[:size]
        return taken

    for piece in decoded(form, Input(pull)):
        yield from gaps
        gaps.clear()
        yield piece
    yield from gaps
