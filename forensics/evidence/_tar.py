"""Tar archives: V7, ustar and pax (POSIX.1-1988 and 2001), and GNU's own headers ("Basic Tar Format" in its manual).

A header that is damaged costs its own member: the next sound one is searched for, at its place in the blocks first.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from forensics.evidence._archive_parts import Member, Part, Parts, Tape

BLOCK = 512
_MOST_EXTENSION_BYTES = 1 << 20
_LARGEST_LOSS = 1 << 16
_SECOND_NS = 1_000_000_000
_REFUSALS = {
    b"1": "hard link inside the archive",
    b"2": "symbolic link",
    b"3": "device",
    b"4": "device",
    b"6": "FIFO",
    b"M": "goes on from another volume of the archive",
    b"S": "sparse member: unpack it and read the folder",
}
_WITHOUT_DATA = frozenset((b"1", b"2", b"3", b"4", b"5", b"6", b"V"))
_NO_FILE = frozenset((b"5", b"D", b"V"))
_PAX = re.compile(rb"(\d{1,7}) ")


def is_header(block: bytes) -> bool:
    """Whether a block's own checksum says that it is a header."""
    if len(block) < BLOCK:
        return False
    said = _number(block[148:156])
    if said is None:
        return False
    rest = block[:148] + block[156:BLOCK]
    total = sum(rest) + 8 * 0x20
    # Old programs added signed octets.
    return said == total or said == total - 256 * sum(octet > 127 for octet in rest)


def _number(digits: bytes) -> int | None:
    """A number as headers have it: octal digits, or base 256 where the first bit is set."""
    if digits[0] & 0x80:
        return int.from_bytes(bytes([digits[0] & 0x3F]) + digits[1:], "big") if not digits[0] & 0x40 else None
    text = digits.split(b"\0", 1)[0].strip(b" ")
    if not text:
        return 0
    return int(text, 8) if text.isdigit() and not re.search(rb"[89]", text) else None


@dataclass(slots=True)
class _Before:
    """What headers in front of a member say of it."""

    own: dict[bytes, bytes] = field(default_factory=dict)
    always: dict[bytes, bytes] = field(default_factory=dict)

    def get(self, key: bytes) -> bytes | None:
        return self.own.get(key, self.always.get(key))

    def number(self, key: bytes) -> int | None:
        """A pax number, such as ``size`` or the ``mtime`` with its fraction, whole."""
        text = (self.get(key) or b"").split(b".", 1)[0]
        return int(text) if text.isdigit() and len(text) < 19 else None


def tar_parts(tape: Tape) -> Parts:
    """Members of a tar archive, and what lies between them."""
    before = _Before()
    while block := tape.peek(BLOCK):
        at = tape.offset
        if len(block) < BLOCK:
            tape.skip(len(block))
            zero = not block.strip(b"\0")
            yield Part(at, len(block), "padding" if zero else "gap", "end" if zero else "cut off inside a header")
        elif not block.strip(b"\0"):
            yield Part(at, _zeros(tape), "padding", "blocks of zeros")
        elif not is_header(block) or (size := _number(block[124:136])) is None:
            yield Part(at, _to_next(tape), "gap", "no tar header where one should be")
            before = _Before(always=before.always)
        else:
            tape.skip(BLOCK)
            yield from _entry(tape, block, size, at, before)


def _landed(tape: Tape, data: int) -> None:
    """Behind a member whose data starts at ``data``: go back to a header that came earlier than it should.

    Where octets are missing from an archive, all that follows lies nearer. An unharmed member is not searched.
    """
    end = tape.offset
    follows = tape.peek(BLOCK)
    if len(follows) < BLOCK or not follows.strip(b"\0") or is_header(follows):
        return
    earliest = max(end - _LARGEST_LOSS, data)
    if tape.back(earliest) and earliest + _to_next(tape, end - earliest) >= end:
        tape.skip(end - tape.offset)


def _zeros(tape: Tape) -> int:
    done = 0
    while (block := tape.peek(BLOCK)) and len(block) == BLOCK and not block.strip(b"\0"):
        done += tape.skip(BLOCK)
    return done


def _to_next(tape: Tape, most: int | None = None) -> int:
    """Skip to the next header, or ``most`` octets where none begins in them; the octets that were skipped."""
    done = tape.skip(1)
    while (most is None or done < most) and (window := tape.peek()):
        aligned = range(-done % BLOCK, len(window) - BLOCK + 1, BLOCK)
        marked = (found.start() - 257 for found in re.finditer(rb"ustar[\0 ]", window) if found.start() >= 257)
        places = (place for place in sorted({*aligned, *marked}) if is_header(window[place : place + BLOCK]))
        place = next(places, None)
        if place is None:
            place = len(window) if len(window) <= BLOCK else len(window) - BLOCK + 1
            done += tape.skip(place if most is None else min(place, most - done))
        elif most is None or done + place < most:
            return done + tape.skip(place)
        else:
            return done + tape.skip(most - done)
    return done


def _entry(tape: Tape, block: bytes, size: int, at: int, before: _Before) -> Parts:
    """What one header stands for; its block went by."""
    kind = block[156:157]
    if kind in (b"x", b"X", b"g", b"L", b"K"):
        body = tape.peek(size)[:size] if size <= _MOST_EXTENSION_BYTES else b""
        there = tape.skip(_padded(size))
        if len(body) < size:
            yield Part(at, BLOCK + there, "gap", "header extension that is cut off or too long")
            return
        if kind in (b"L", b"K"):
            before.own[b"path" if kind == b"L" else b"linkpath"] = body.split(b"\0", 1)[0]
        else:
            (before.always if kind == b"g" else before.own).update(_records(body))
        yield Part(at, BLOCK + there, "framing", "header extension of a member")
        return
    if kind == b"S":
        extended = block[482:483] == b"\1"
        while extended and len(more := tape.read(BLOCK)) == BLOCK:
            extended = more[504:505] == b"\1"
    size = 0 if kind in _WITHOUT_DATA else before.number(b"size") or size
    data = tape.offset
    tape.skip(_padded(size))
    if size:
        _landed(tape, data)
    member = None
    if kind not in _NO_FILE and not (kind in (b"0", b"\0") and block[:100].split(b"\0", 1)[0].endswith(b"/")):
        refusal = _REFUSALS.get(kind)
        if any(key.startswith(b"GNU.sparse") for key in before.own):
            refusal = _REFUSALS[b"S"]
        modified = before.number(b"mtime") if before.get(b"mtime") else _number(block[136:148])
        stored = min(size, tape.offset - data) if tape.peek(1) else size
        member = Member(_name(block, before), data, stored, stored, (modified or 0) * _SECOND_NS, refusal=refusal)
    before.own = {}
    yield Part(at, tape.offset - at, "framing", "member" if member else "entry without data", member)


def _padded(size: int) -> int:
    return -(-size // BLOCK) * BLOCK


def _name(block: bytes, before: _Before) -> bytes:
    told = before.get(b"path")
    if told is not None:
        return told
    name = block[:100].split(b"\0", 1)[0]
    prefix = block[345:500].split(b"\0", 1)[0] if block[257:263] == b"ustar\0" else b""
    return prefix + b"/" + name if prefix else name


def _records(body: bytes) -> dict[bytes, bytes]:
    """Records of a pax header: ``LENGTH KEY=VALUE`` and a newline; what fits no record ends them."""
    found: dict[bytes, bytes] = {}
    at = 0
    while match := _PAX.match(body, at):
        end = at + int(match[1])
        key, equals, value = body[match.end() : end - 1].partition(b"=")
        if end <= match.end() or end > len(body) or not equals:
            break
        found[key] = value
        at = end
    return found
