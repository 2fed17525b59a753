"""JSON values of a stream one after another, in bounded memory: lines, or elements of lists however they are set."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from forensics.evidence import Stream
from forensics.loaders._reader import Stretch
from forensics.loaders.documents._notification_kernel import TAKEN, Run

Bytes = npt.NDArray[np.uint8]
Ints = npt.NDArray[np.int64]

CHUNK_BYTES = 8 << 20
MOST_BYTES = 256 << 20
"""A single value may be this long."""

_BETWEEN = re.compile(r"(?:[\s,\0]|ï»¿)*")
_LIST = re.compile(r"\[(?=\s{0,64}[\[{])")
WRAPPED = re.compile(r'\{\s{0,64}"(?!payload|traits|fixed_ips|_context|args|bdms)[\w.-]{1,40}"\s{0,64}:\s{0,64}'
                      r"\[(?=\s{0,64}[\[{])")  # fmt: skip
_CLOSED = re.compile(r"[\]}]")
_NEXT = re.compile(r"\n[ \t]{0,64}(?=[\[{])|[}\]][ \t\r\n]{0,64},[ \t\r\n]{0,64}(?=[\[{])")
_DECODER = json.JSONDecoder(strict=False)
_NEAR_END = 64


@dataclass(frozen=True, slots=True)
class Taken:
    """Values that the kernel took, and the places of all that are in its run."""

    run: Run
    octets: bytes
    offset: int
    """Of the first octet in the source."""
    lines: Ints
    """On which each value of the run begins."""


@dataclass(slots=True)
class Values:
    """Some values: where each one is, and what lies between them."""

    taken: list[Taken] = field(default_factory=list)
    texts: list[str] = field(default_factory=list)
    offsets: list[int] = field(default_factory=list)
    lengths: list[int] = field(default_factory=list)
    lines: list[int] = field(default_factory=list)
    stretches: list[Stretch] = field(default_factory=list)

    def add(self, octets: bytes, offset: int, line: int) -> None:
        """One value; what is no UTF-8 in it is replaced."""
        self.texts.append(octets.decode("utf-8", "replace"))
        self.offsets.append(offset)
        self.lengths.append(len(octets))
        self.lines.append(line)


def elements(stream: Stream, run: Callable[[bytes, int], Run] | None = None) -> Iterator[Values]:
    """Objects, and lists that begin with a text, of a JSON document; of several behind one another, too.

    Lists are entered where their elements are lists or objects, and so is an object that holds such a list first.
    Every octet is in a value or in a stretch.

    Args:
        stream: The document.
        run: Gives some of the values of a text from a place on, by the kernel, if there is one.
    """
    walk = _Walk(stream, run)
    while walk.fill():
        yield walk.some()
    yield walk.rest()


class _Walk:
    def __init__(self, stream: Stream, run: Callable[[bytes, int], Run] | None) -> None:
        self.stream = stream
        self.run = run
        self.regular = False  # whether the kernel may still be asked: in each buffer up to what it does not know
        self.octets = b""
        self.text = ""
        self.at = 0  # in the buffer: what is before it is accounted for
        self.base = 0  # offset of the buffer in the source
        self.line = 1  # of `counted`
        self.counted = 0
        self.ended = False

    def fill(self) -> bool:
        """Read more behind what is left; False at the end of the source."""
        if self.ended:
            return False
        kept = self.octets[self.at :]
        more = self.stream.read(max(CHUNK_BYTES, len(kept)))
        self.ended = not more
        self._count(self.at)
        self.octets = kept + more
        self.base += self.at
        self.at = self.counted = 0
        self.regular = True
        self.text = self.octets.decode("latin-1")  # one character an octet, so that places are offsets
        return True

    def _count(self, to: int) -> int:
        """Line on which a place of the buffer is."""
        self.line += self.octets.count(b"\n", self.counted, to)
        self.counted = to
        return self.line

    def some(self) -> Values:
        """The values that the buffer holds whole."""
        found = Values()
        while True:
            start = self.at
            at = start
            while True:  # what only holds values together
                between = _BETWEEN.match(self.text, at)
                at = between.end() if between else at
                opened = _LIST.match(self.text, at) or WRAPPED.match(self.text, at) or _CLOSED.match(self.text, at)
                if opened is None:
                    break
                at = opened.end()
            if not self.ended and at >= len(self.text) - 256:
                return found
            self._stretch(found, at, "framing", "what holds the values together")
            if at >= len(self.text):
                return found
            if self.run and self.regular:
                self._take(found, self.run(self.octets, at))
                continue
            end = self._end(at)
            if end is None:
                return found
            if end > at:
                found.add(self.octets[at:end], self.base + at, self._count(at))
                self.at = end
            else:
                onward = self._resync(found, at)
                if not onward:
                    return found

    def _take(self, found: Values, run: Run) -> None:
        """Values of a run, as far as those that the kernel left are what their brackets say."""
        for row in np.flatnonzero(run.read.verdict != TAKEN).tolist():
            start = int(run.start[row])
            if WRAPPED.match(self.text, start) or self._end(start) != run.end[row]:
                run, self.regular = run.first(row), False
                break
        if not len(run.start):
            self.regular = False
            return
        lines = []
        for start, end, verdict in zip(run.start.tolist(), run.end.tolist(), run.read.verdict.tolist(), strict=True):
            self._stretch(found, start, "framing", "what holds the values together")
            lines.append(self._count(start))
            if verdict != TAKEN:
                found.add(self.octets[start:end], self.base + start, lines[-1])
            self.at = end
        found.taken.append(Taken(run, self.octets, self.base, np.array(lines, np.int64)))

    def _end(self, at: int) -> int | None:
        """Where the value ends; the same place where it is none; None where it goes on behind the buffer."""
        if self.text[at] not in "{[":
            return at
        try:
            end: int = _DECODER.raw_decode(self.text, at)[1]
        except RecursionError:
            return at
        except ValueError as error:
            place = getattr(error, "pos", 0)
            cut = str(error).startswith("Unterminated string") or place >= len(self.text) - _NEAR_END
            return None if cut and not self.ended and len(self.octets) - at < MOST_BYTES else at
        return end

    def _resync(self, found: Values, at: int) -> bool:
        """Go on where the next value may begin."""
        next_ = _NEXT.search(self.text, at + 1)
        to = next_.end() if next_ else len(self.text) if self.ended else max(at, len(self.text) - 256)
        reason = "JSON that is cut off or damaged" if self.text[at] in "{[" else "not JSON"
        self._stretch(found, to, "reject", reason)
        return next_ is not None or self.ended

    def _stretch(self, found: Values, to: int, kind: str, reason: str) -> None:
        if to > self.at:
            line = self._count(self.at)
            blank = kind == "framing" and not self.octets[self.at : min(to, self.at + 4096)].strip()
            found.stretches.append(
                Stretch(
                    self.base + self.at, to - self.at, "padding" if blank else kind, "blank" if blank else reason, line
                )
            )
        self.at = to

    def rest(self) -> Values:
        """What is left at the end."""
        found = self.some()
        self._stretch(found, len(self.octets), "reject", "JSON that is cut off")
        return found


@dataclass(frozen=True, slots=True)
class Block:
    """Whole lines: their octets, the offset of the first, and its number. A line that is too long is one, too."""

    octets: memoryview
    """In memory that the next block is read into."""
    ends: Ints
    """Where each line ends in them, behind its line feed."""
    offset: int
    line: int


def blocks(stream: Stream, feeds: Callable[[Bytes], Ints]) -> Iterator[Block]:
    """The lines of a stream, some at a time; ``feeds`` gives the places of line feeds."""
    buffer, left, offset, number = bytearray(CHUNK_BYTES), 0, 0, 1
    while True:
        room = left + max(CHUNK_BYTES, left)
        if room > len(buffer):
            buffer = buffer[:left] + bytearray(room - left)
        count = left + stream.readinto(memoryview(buffer)[left:room])
        if not count:
            return
        cut = count if count < room else buffer.rfind(b"\n", 0, count) + 1
        if not cut and count < MOST_BYTES:
            left = count
            continue
        cut = cut or count
        octets = memoryview(buffer)[:cut]
        ends = feeds(np.frombuffer(octets, np.uint8)) + 1
        yield Block(octets, ends if len(ends) and ends[-1] == cut else np.append(ends, cut), offset, number)
        offset, number, left = offset + cut, number + len(ends), count - cut
        buffer[:left] = buffer[cut:count]


def feeds_of(octets: Bytes) -> Ints:
    """Places of the line feeds."""
    return np.flatnonzero(octets == 10)


def lines(block: Block) -> Values:
    """Lines, each with its line feed, as values; blank ones are stretches."""
    found, at = Values(), block.offset
    for number, (line, text) in enumerate(zip(*_split(bytes(block.octets)), strict=True), block.line):
        add_line(found, line, text, at, number)
        at += len(line)
    return found


def add_line(found: Values, line: bytes, text: str, offset: int, number: int) -> None:
    """One line, with and without its line feed."""
    if text and not text.isspace() and line.strip(b"\0 \t\r\n"):
        found.texts.append(text)
        found.offsets.append(offset)
        found.lengths.append(len(line))
        found.lines.append(number)
    else:
        _blank(found, offset, len(line), number)


def _split(octets: bytes) -> tuple[list[bytes], list[str]]:
    """Lines with their line feeds, and their texts without; what is no UTF-8 is replaced."""
    parts = octets.split(b"\n")
    last = parts.pop()
    texts = octets.decode("utf-8", "replace").split("\n")
    if not last:
        texts.pop()
    return [part + b"\n" for part in parts] + ([last] if last else []), texts


def _blank(found: Values, offset: int, length: int, number: int) -> None:
    last = found.stretches[-1] if found.stretches else None
    if last and last.offset_bytes + last.length_bytes == offset:
        found.stretches[-1] = Stretch(last.offset_bytes, last.length_bytes + length, "padding", "blank", last.position)
    else:
        found.stretches.append(Stretch(offset, length, "padding", "blank", number))
