"""A stream in chunks of whole lines: what is too long for memory is left out and counted, runs of NUL are gaps."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from forensics.evidence import Stream
from forensics.loaders._reader import Stretch
from forensics.loaders.lines import _kernel
from forensics.loaders.lines._join import PREVIEW_BYTES
from forensics.loaders.lines._memory import memory
from forensics.loaders.lines._text import MARGIN, Bytes, Ints

CHUNK_BYTES = 8 << 20
LONGEST_LINE = 16 << 20
"""Of a longer line only the beginning is kept."""
NUL_RUN = 16
"""So many NUL octets in a row are no text: a hole that a power cut or copytruncate left."""


@dataclass(slots=True)
class Chunk:
    """Octets of the evidence, less what was left out.

    ``left_out`` has pairs: index in ``octets``, how many octets of the evidence are missing before it. ``breaks``
    are indexes of line feeds that stand for a gap and are not in the evidence.
    """

    octets: Bytes
    offset: int
    left_out: list[tuple[int, int]]
    breaks: list[int]
    final: bool
    padded: Bytes | None = None
    """The octets and `MARGIN` more, where they lie so in memory."""

    def place(self, index: Ints) -> Ints:
        """Offset in the evidence of each index."""
        if not self.left_out:
            return index + self.offset
        places, counts = np.array(self.left_out, np.int64).T
        missing = np.concatenate([[0], np.cumsum(counts)])
        result: Ints = index + self.offset + missing[np.searchsorted(places, index, side="right")]
        return result


class Chunks:
    """Reads chunks; what the reader of a chunk does not take comes again at the start of the next.

    Args:
        stream: The source.
        chunk_bytes: How much is read at a time.
        longest_line: Of a longer line only the beginning is kept.
        begin: What `begin` was where an earlier reader of the source stopped; the stream is at that offset.
    """

    def __init__(
        self,
        stream: Stream,
        chunk_bytes: int = CHUNK_BYTES,
        longest_line: int = LONGEST_LINE,
        begin: tuple[int, int] = (0, 0),
    ) -> None:
        self._stream = stream
        self._chunk_bytes = chunk_bytes
        self._longest = longest_line
        offset, held = begin
        rest = np.frombuffer(stream.read(held), np.uint8)
        self._rest = self._whole = Chunk(rest, offset, [], [], False)
        self._nul_before = False
        self.gaps: list[Stretch] = []
        self.nul_bytes = 0

    @property
    def begin(self) -> tuple[int, int] | None:
        """Where the next chunk begins, and how much of it has been read already; None where more is to be known.

        Whoever begins with these, the stream being at that offset, has the same chunks from there on.
        """
        rest = self._rest
        torn = rest.left_out or rest.breaks or self._nul_before or self._whole.final
        return None if torn else (rest.offset, len(rest.octets))

    @property
    def told(self) -> int:
        """How many of the gaps will not grow any more."""
        return len(self.gaps) - self._nul_before

    def __iter__(self) -> Iterator[Chunk]:
        while True:
            self._whole, line = self._filled()
            self.give_back(line)
            whole = self._whole
            left = [(at, count) for at, count in whole.left_out if at <= line]
            breaks = [at for at in whole.breaks if at < line]
            padded = None if whole.padded is None else whole.padded[: line + MARGIN]
            yield Chunk(whole.octets[:line], whole.offset, left, breaks, whole.final, padded)
            if whole.final:
                return

    def give_back(self, index: int) -> None:
        """Let the next chunk begin at this index of the present one."""
        whole = self._whole
        offset = int(whole.place(np.array([index]))[0])
        left = [(at - index, count) for at, count in whole.left_out if at > index]
        breaks = [at - index for at in whole.breaks if at >= index]
        self._rest = Chunk(whole.octets[index:], offset, left, breaks, False)

    def _filled(self) -> tuple[Chunk, int]:
        """Octets with at least one whole line more than before, and where the last whole line ends."""
        rest = self._rest
        parts, held = [rest.octets], len(rest.octets)
        chunk = Chunk(rest.octets, rest.offset, list(rest.left_out), list(rest.breaks), False)
        line = _line_end(rest.octets)
        skipping = 0
        # what was left over, what is read now and a margin lie side by side: mostly nothing need be copied again
        room = memory(held + self._chunk_bytes + MARGIN)
        room[:held] = rest.octets
        free: Bytes | None = room[held : held + self._chunk_bytes]
        while True:
            block = np.empty(self._chunk_bytes, np.uint8) if free is None else free
            free = None
            count = self._stream.readinto(block.data)
            block = block[:count]
            final = count < self._chunk_bytes and not self._stream.peek(1)
            if skipping:
                feeds = block == 10
                stop = int(feeds.argmax()) if feeds.any() else len(block)
                skipping += stop
                block = block[stop:]
                if len(block) or final:
                    chunk.left_out.append((held, skipping))
                    skipping = 0
            if skipping and not final:
                continue
            block = self._without_nul(block, chunk, held)
            parts.append(block)
            held += len(block)
            ended = _line_end(block)
            if ended:
                line = held - len(block) + ended
            if final or (ended and held - line <= self._longest):
                break
            if held - line > self._longest:
                joined = np.concatenate(parts)
                keep = line + PREVIEW_BYTES
                while joined[keep] & 0xC0 == 0x80:
                    keep -= 1
                lost = [(at, n) for at, n in chunk.left_out if at > keep]
                skipping = held - keep + sum(n for _, n in lost)
                chunk.left_out = [(at, n) for at, n in chunk.left_out if at <= keep]
                chunk.breaks = [at for at in chunk.breaks if at < keep]
                parts, held = [joined[:keep]], keep
        whole = len(parts) == 2 and np.may_share_memory(parts[1], room)
        chunk.padded = room[: held + MARGIN] if whole else np.concatenate([*parts, np.empty(MARGIN, np.uint8)])
        chunk.padded[held:] = 10
        chunk.octets = chunk.padded[:held]
        chunk.final = final
        return chunk, len(chunk.octets) if final else line

    def _without_nul(self, block: Bytes, chunk: Chunk, base: int) -> Bytes:
        """Take runs of NUL out of a block; each leaves a line feed where text went before it."""
        if not len(block) or not _has_nul(block):
            if len(block):
                self._nul_before = False
            return block
        edges = np.flatnonzero(np.diff(np.concatenate([[0], (block == 0).view(np.int8), [0]])))
        starts, stops = edges[::2], edges[1::2]
        least = np.where((starts == 0) & self._nul_before, 1, NUL_RUN)
        long = (stops - starts >= least) | (stops == len(block))
        starts, stops = starts[long], stops[long]
        self._nul_before = bool(len(stops)) and int(stops[-1]) == len(block)
        keep = np.ones(len(block), np.bool_)
        offset = int(chunk.place(np.array([base]))[0])
        out = block.copy()
        removed = 0
        for start, stop in zip(starts.tolist(), stops.tolist(), strict=True):
            out[start] = 10
            keep[start + 1 : stop] = False
            at = base + start - removed
            chunk.breaks.append(at)
            chunk.left_out.append((at + 1, stop - start - 1))
            removed += stop - start - 1
            self.nul_bytes += stop - start
            last = self.gaps[-1] if self.gaps else None
            if last is not None and last.offset_bytes + last.length_bytes == offset + start:
                self.gaps[-1] = Stretch(last.offset_bytes, last.length_bytes + stop - start, "gap", last.reason)
            else:
                self.gaps.append(Stretch(offset + start, stop - start, "gap", "run of NUL octets"))
        return out[keep]


def _has_nul(octets: Bytes) -> bool:
    compiled = _kernel.kernel()
    return not octets.all() if compiled is None else _kernel.find(compiled, octets, 0) >= 0


def _line_end(octets: Bytes, step: int = 1 << 16) -> int:
    """Where the last whole line ends, looked for from the end; 0 where there is none."""
    for end in range(len(octets), 0, -step):
        begin = max(end - step, 0)
        feeds = np.flatnonzero(octets[begin:end] == 10)
        if len(feeds):
            return begin + int(feeds[-1]) + 1
    return 0
