"""ZIP archives (PKWARE's APPNOTE 6.3.10), read from the front: each member has a header of its own before its data.

The directory at the end adds what only it tells, such as links. A lost or damaged directory costs no member.
"""

from __future__ import annotations

import stat
import struct
import zlib
from datetime import UTC, datetime

from forensics.evidence._archive_parts import Member, Part, Parts, Tape

LOCAL, CENTRAL = b"PK\x03\x04", b"PK\x01\x02"
_END, _END64, _LOCATOR, _DESCRIPTOR = b"PK\x05\x06", b"PK\x06\x06", b"PK\x06\x07", b"PK\x07\x08"
_METHODS = {0: "", 8: "deflate", 12: "bzip2", 93: "zstd", 95: "xz"}
_UNREAD = {1: "shrink", 6: "implode", 9: "deflate64", 14: "lzma", 98: "PPMd", 99: "AES"}
_ENCRYPTED, _LATER, _UTF8 = 1, 8, 0x800
_FULL = 0xFFFFFFFF
_STEP_BYTES = 1 << 16
_OUT_BYTES = 1 << 20
_DOCUMENTS = (b"[Content_Types].xml", b"mimetype", b"META-INF/")
"""First members of office documents and Java archives: one file to its user, no folder of evidence."""

_Local = struct.Struct("<4s5H3L2H")
_Central = struct.Struct("<4s6H3L5H2L")


def is_document(head: bytes) -> bool:
    """Whether a ZIP archive is a document of an office program, or a Java archive."""
    return head[30:].startswith(_DOCUMENTS)


def zip_parts(tape: Tape) -> Parts:
    """Members of a ZIP archive, and what lies between them; told when all went by, because the directory comes last."""
    parts: list[Part] = []
    modes: dict[bytes, int] = {}
    while head := tape.peek(4):
        at = tape.offset
        if head == LOCAL and (found := _local(tape, at)) is not None:
            parts.append(found)
        elif head == CENTRAL and (entry := _central(tape)) is not None:
            modes[entry[0]] = entry[1]
            parts.append(Part(at, tape.offset - at, "framing", "directory of the archive"))
        elif (length := _other(tape, head)) is not None:
            parts.append(Part(at, tape.skip(length), "framing", "end of the directory"))
        else:
            parts.append(Part(at, _to_next(tape), "gap", "no ZIP header where one should be"))
    for part in parts:
        member = part.member
        if member and stat.S_ISLNK(modes.get(member.name, 0)):
            part = part._replace(member=member._replace(refusal="symbolic link"))
        yield part


def _plausible(head: bytes) -> bool:
    """Whether this can be a local header: version, flags, method, and a name."""
    if len(head) < _Local.size or head[:4] != LOCAL:
        return False
    _, version, flags, method, *_, name, _ = _Local.unpack(head[: _Local.size])
    return version & 0xFF <= 63 and not flags & 0xC000 and method in (*_METHODS, *_UNREAD) and 0 < name <= 4096


def _local(tape: Tape, at: int) -> Part | None:
    """A member from its own header; None, and nothing taken, where that cannot be one."""
    head = tape.peek(_Local.size)
    if not _plausible(head):
        return None
    _, _, flags, method, time, date, checksum, stored, size, name_bytes, extra_bytes = _Local.unpack(head)
    header = tape.peek(_Local.size + name_bytes + extra_bytes)
    name = header[_Local.size : _Local.size + name_bytes]
    extra = _extra(header[_Local.size + name_bytes :])
    stored, size = _large(extra.get(1, b""), stored, size)
    start = at + _Local.size + name_bytes + extra_bytes
    tape.skip(len(header))
    known: int | None = checksum
    if flags & _LATER and not stored:
        found = _ended(tape, method)
        if found is None:
            stored, size, known = tape.offset - start, 0, None
        else:
            stored, size, known = found
    elif not _skipped(tape, at, start, stored, method, checksum):
        return Part(at, tape.offset - at, "gap", "member whose header gives a wrong length")
    refusal = "encrypted" if flags & _ENCRYPTED else None
    if method not in _METHODS:
        refusal = refusal or f"compressed by {_UNREAD[method]}: unpack it and read the folder"
    if name.endswith(b"/"):
        return Part(at, tape.offset - at, "framing", "entry without data")
    if not flags & _UTF8:
        name = _as_utf8(name)
    modified = _modified(extra, time, date)
    member = Member(name, start, stored, size or stored, modified, _METHODS.get(method, ""), known, refusal)
    return Part(at, tape.offset - at, "framing", "member", member)


def _skipped(tape: Tape, at: int, start: int, stored: int, method: int, checksum: int) -> bool:
    """Let a member's data go by. False, and at the next header, where its header gave a wrong length."""
    there = tape.skip(stored)
    end = tape.offset
    follows = tape.peek(4)
    if there == stored and (not follows or follows[:2] == b"PK"):
        return True
    if there == stored and not tape.back(start):
        return True
    if there == stored and _sum(tape, stored, method) in (checksum, None):
        tape.skip(end - tape.offset)
        return True  # what comes behind it is damaged
    if not tape.back(at + len(LOCAL)):  # any length in the header may be the wrong one, that of the name, too
        return True
    # Nothing more to be found in it: the archive is cut off inside this member.
    return at + len(LOCAL) + _to_next(tape) == end and there < stored


def _sum(tape: Tape, stored: int, method: int) -> int | None:
    """CRC-32 of a member whose data comes next; -1 where it cannot be decoded, None where nobody can tell."""
    if method not in (0, 8):
        return None
    inflater = zlib.decompressobj(-15) if method == 8 else None
    total = 0
    while stored and (data := tape.peek(min(stored, _STEP_BYTES))):
        if inflater is None:
            total, taken = zlib.crc32(data, total), len(data)
        elif inflater.eof:  # it ended before its length
            return -1
        else:
            try:
                total = zlib.crc32(inflater.decompress(data, _OUT_BYTES), total)
            except zlib.error:
                return -1
            taken = len(data) - len(inflater.unconsumed_tail) - len(inflater.unused_data)
        tape.skip(taken)
        stored -= taken
    return total


def _large(field: bytes, stored: int, size: int) -> tuple[int, int]:
    """Lengths of 64 bits, where the header has no room for them (4.5.3)."""
    if size == _FULL and len(field) >= 8:
        size, field = int.from_bytes(field[:8], "little"), field[8:]
    if stored == _FULL and len(field) >= 8:
        stored = int.from_bytes(field[:8], "little")
    return stored, size


def _extra(data: bytes) -> dict[int, bytes]:
    found = {}
    while len(data) >= 4:
        kind, length = struct.unpack_from("<HH", data)
        found[kind] = data[4 : 4 + length]
        data = data[4 + length :]
    return found


def _modified(extra: dict[int, bytes], time: int, date: int) -> int:
    """When a member was modified: Info-ZIP's field, in UTC; else the DOS fields, whose zone nobody knows."""
    told = extra.get(0x5455, b"")
    if len(told) >= 5 and told[0] & 1:
        return int.from_bytes(told[1:5], "little", signed=True) * 1_000_000_000
    try:
        at = datetime(
            1980 + (date >> 9),
            date >> 5 & 15,
            date & 31,
            time >> 11,
            time >> 5 & 63,
            min((time & 31) * 2, 59),
            tzinfo=UTC,
        )
    except ValueError:
        return 0
    return int(at.timestamp()) * 1_000_000_000


def _as_utf8(name: bytes) -> bytes:
    try:
        name.decode()
    except UnicodeDecodeError:
        return name.decode("cp437").encode()
    return name


def _ended(tape: Tape, method: int) -> tuple[int, int, int] | None:
    """Find the end of data whose length stands behind it (4.3.9): stored octets, size, checksum."""
    start = tape.offset
    if method == 8:
        inflater = zlib.decompressobj(-15)
        size = 0
        while not inflater.eof and (data := tape.peek(_STEP_BYTES)):
            try:
                size += len(inflater.decompress(data, _OUT_BYTES))
            except zlib.error:
                return None
            tape.skip(len(data) - len(inflater.unconsumed_tail) - len(inflater.unused_data))
        stored = tape.offset - start
    else:
        while (window := tape.peek()) and (place := _descriptor_in(window, tape.offset - start)) is None:
            tape.skip(max(len(window) - 24, 1))
        if not window or place is None:
            return None
        tape.skip(place)
        stored = size = tape.offset - start
    tail = tape.peek(26)
    marked = 4 if tail[:4] == _DESCRIPTOR else 0
    if len(tail) < marked + 12:
        return stored, size, 0
    checksum = int.from_bytes(tail[marked : marked + 4], "little")
    short = int.from_bytes(tail[marked + 4 : marked + 8], "little") == stored & _FULL
    wide = (
        int.from_bytes(tail[marked + 4 : marked + 12], "little") == stored and tail[marked + 20 : marked + 22] == b"PK"
    )
    tape.skip(marked + (20 if wide or not short else 12))
    return stored, size, checksum


def _descriptor_in(window: bytes, done: int) -> int | None:
    """Where a window has the descriptor of what went before it."""
    place = window.find(_DESCRIPTOR)
    while place >= 0:
        if int.from_bytes(window[place + 8 : place + 12], "little") == (done + place) & _FULL:
            return place
        place = window.find(_DESCRIPTOR, place + 1)
    return None


def _central(tape: Tape) -> tuple[bytes, int] | None:
    """Name and Unix mode of an entry of the directory; None where it cannot be one."""
    head = tape.peek(_Central.size)
    if len(head) < _Central.size:
        return None
    fields = _Central.unpack(head)
    name_bytes, extra_bytes, comment_bytes = fields[10:13]
    whole = tape.read(_Central.size + name_bytes + extra_bytes + comment_bytes)
    name = whole[_Central.size : _Central.size + name_bytes]
    return name if fields[3] & _UTF8 else _as_utf8(name), fields[15] >> 16 if fields[1] >> 8 == 3 else 0


def _other(tape: Tape, head: bytes) -> int | None:
    """Length of a record of the directory's end; None where it is none."""
    if head == _END and len(record := tape.peek(22)) == 22:
        return 22 + int.from_bytes(record[20:22], "little")
    if head == _END64 and len(record := tape.peek(12)) == 12:
        return 12 + min(int.from_bytes(record[4:12], "little"), 1 << 16)
    return 20 if head == _LOCATOR else None


def _to_next(tape: Tape) -> int:
    """Skip to the next header; the octets that were skipped."""
    done = tape.skip(1)
    while window := tape.peek():
        place = window.find(b"PK")
        while 0 <= place <= len(window) - 4:
            head = window[place : place + _Local.size]
            if head[:4] in (CENTRAL, _END, _END64) or _plausible(head):
                return done + tape.skip(place)
            place = window.find(b"PK", place + 1)
        if len(window) <= _Local.size:
            return done + tape.skip(len(window))
        done += tape.skip(len(window) - _Local.size + 1)
    return done
