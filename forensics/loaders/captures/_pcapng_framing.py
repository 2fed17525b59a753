"""Blocks of a pcapng file in one buffer: each says its length before and after itself, so damage shows at once."""

from __future__ import annotations

import struct
from collections.abc import Callable

import numpy as np
import numpy.typing as npt

from forensics.loaders.captures._chain import Bools, Ints, Tell
from forensics.loaders.captures._follow import BROKEN, DONE, MORE, SOUND
from forensics.loaders.captures._kernel import Stride
from forensics.loaders.captures._pcapng_format import (
    BYTE_ORDER_MAGIC,
    CUSTOM,
    CUSTOM_NOT_COPIED,
    MAX_BLOCK_BYTES,
    MAX_INTERFACES,
    PACKET,
    SECTION,
    SYSDIG_EVENTS,
)
from forensics.loaders.captures._resync import Recent

KNOWN = np.array([*range(1, 11), SECTION, CUSTOM, CUSTOM_NOT_COPIED, *SYSDIG_EVENTS, 0x80000001], np.int64)
"""Types that a block found after damage may have."""
KNOWN_SET = frozenset(KNOWN.tolist())
LEAST = 12
MOVED_BYTES = 1024
CARRIED_BYTES = 64 << 10
"""No packet is longer."""
SWAPPED_MAGIC = int.from_bytes(BYTE_ORDER_MAGIC.to_bytes(4, "little"), "big")


class PcapngFraming:
    """Blocks of one buffer: `forensics.loaders.captures._follow.RecordFraming` for pcapng.

    Args:
        buffer: The octets.
        big_endian: Byte order of the section that the buffer begins in.
    """

    least_bytes = LEAST
    look_bytes = 2048

    def __init__(self, buffer: npt.NDArray[np.uint8], big_endian: bool) -> None:
        self.buffer = buffer
        self.turns: list[tuple[int, bool]] = []
        """Where the byte order changes, and to which."""
        self._count = max(0, len(buffer) - LEAST + 1)
        self._memory = buffer.data
        self._turn(big_endian)
        self.at_first = big_endian

    def _turn(self, big_endian: bool) -> None:
        self.big_endian = big_endian
        self._unpack = struct.Struct((">" if big_endian else "<") + "III").unpack_from
        self._words = self.view(big_endian)

    @property
    def stride(self) -> Stride:
        """Where a block says its length."""
        return Stride(4, -1, LEAST, self.big_endian, True)

    @property
    def tells(self) -> tuple[tuple[Tell, ...], ...]:
        """Types are small numbers, lengths below 16 MiB; sections and custom blocks have types of their own."""
        if self.big_endian:
            usual: tuple[Tell, ...] = ((3, 1, 10), (2, 0, 0), (4, 0, 0), (0, 0, 0), (1, 0, 0))
            custom: tuple[Tell, ...] = ((3, 0xAD, 0xAD), (2, 0x0B, 0x0B), (4, 0, 0))
        else:
            usual = ((0, 1, 10), (1, 0, 0), (7, 0, 0), (2, 0, 0), (3, 0, 0))
            custom = ((0, 0xAD, 0xAD), (1, 0x0B, 0x0B), (7, 0, 0))
        return usual, ((0, 0x0A, 0x0A), (1, 0x0D, 0x0D), (2, 0x0D, 0x0D), (3, 0x0A, 0x0A)), custom

    def view(self, big_endian: bool) -> npt.NDArray[np.uint32]:
        """The 32-bit number at every place, in one byte order."""
        count = max(0, len(self.buffer) - 3)
        order = (">" if big_endian else "<") + "u4"
        return np.ndarray((count,), order, self.buffer, 0, (1,)) if count else np.empty(0, order)

    def words(self, places: Ints) -> Ints:
        """The 32-bit numbers at ``places``."""
        words: Ints = self._words[places].astype(np.int64)
        return words

    def _says(self, places: Ints) -> Ints:
        """The total lengths that blocks state, a section header's in its own byte order."""
        says = self.words(places + 4)
        sections = np.flatnonzero(self.words(places) == SECTION)
        if len(sections):
            swapped = sections[self.words(places[sections] + 8) == SWAPPED_MAGIC]
            says[swapped] = says[swapped].astype("<u4").byteswap()
        return says

    def length_at(self, place: int) -> int:
        """Octets of the block at ``place``, at least those that every block has."""
        return max(LEAST, self._stated(place) + 3 & ~3)

    def _stated(self, place: int) -> int:
        kind, length, magic = self._unpack(self._memory, place)
        if kind == SECTION and magic == SWAPPED_MAGIC:
            return int.from_bytes(length.to_bytes(4, "little"), "big")
        return int(length)

    def lengths(self, places: Ints) -> Ints:
        """Octets of the blocks at ``places``."""
        lengths: Ints = np.maximum(self._says(places) + 3 & ~3, LEAST)
        return lengths

    def _trailed(self, places: Ints, says: Ints) -> Bools:
        """Whether the length stands behind the block once more."""
        last = places + (says + 3 & ~3) - 4
        inside = (last >= 0) & (last + 4 <= len(self.buffer))
        trailer = self.words(np.where(inside, last, 0)) if len(self._words) else np.zeros(len(places), np.int64)
        other = trailer.astype("<u4").byteswap().astype(np.int64)
        turned = (self.words(places) == SECTION) & (self.words(places + 8) == SWAPPED_MAGIC)
        same: Bools = inside & (np.where(turned, other, trailer) == says)
        return same

    def credible(self, places: Ints) -> Bools:
        """Whether a block starts there: a known type, a possible length, and the same length behind it."""
        inside = (places >= 0) & (places < self._count)
        if not self._count:
            return np.zeros(len(places), np.bool_)
        places = np.where(inside, places, 0)
        says, kinds = self._says(places), self.words(places)
        good = inside & (says >= LEAST) & (says <= MAX_BLOCK_BYTES) & (says % 4 == 0) & np.isin(kinds, KNOWN)
        sections = kinds == SECTION
        if sections.any():
            magic = self.words(places + 8)
            good &= ~sections | (magic == BYTE_ORDER_MAGIC) | (magic == SWAPPED_MAGIC)
        whole = places + says <= len(self.buffer)
        # What ends behind the buffer cannot show its trailer: a packet shows other signs.
        partly = good & ~whole & (kinds == PACKET) & (places + 28 <= len(self.buffer))
        some = np.flatnonzero(partly)
        if len(some):
            at, captured = places[some], self.words(places[some] + 20)
            partly[some] = (
                (self.words(at + 8) < MAX_INTERFACES) & (captured + 32 <= says[some]) & (says[some] - captured < 65_536)
            )
        found: Bools = (good & whole & self._trailed(places, says)) | partly
        return found

    def _block_at(self, place: int) -> bool:
        """The same for one place; most that are none are told by their type."""
        if place + LEAST > len(self.buffer) or self._unpack(self._memory, place)[0] not in KNOWN_SET:
            return False
        return bool(self.credible(np.array([place]))[0])

    def related(self, places: Ints, after: Ints) -> Bools:  # noqa: ARG002 - pcap has to look
        """Any block may follow any other."""
        return np.ones(len(places), np.bool_)

    def sound(self, starts: Ints, after: Ints) -> int:
        """How many blocks from the first on are surely sound, in one byte order."""
        if not len(starts):
            return 0
        says, kinds = self._says(starts), self.words(starts)
        good = (after <= len(self.buffer)) & (says >= LEAST) & (says <= MAX_BLOCK_BYTES)
        good &= self._trailed(starts, says)
        sections = np.flatnonzero(kinds == SECTION)
        if len(sections):
            good[sections] &= self.words(starts[sections] + 8) == BYTE_ORDER_MAGIC  # the others are taken one by one
        return len(starts) if good.all() else int(np.argmin(good))

    def verdict(self, place: int, ended: bool) -> int:
        """What can be said of the block at ``place``."""
        size = len(self.buffer)
        if place + LEAST > size:
            return MORE if not ended else DONE if place == size else BROKEN
        kind, _, magic = self._unpack(self._memory, place)
        says = self._stated(place)
        if says < LEAST or says > MAX_BLOCK_BYTES:
            return BROKEN
        if kind == SECTION and magic not in (BYTE_ORDER_MAGIC, SWAPPED_MAGIC):
            return BROKEN
        after = place + (says + 3 & ~3)
        if after > size:
            return BROKEN if ended else MORE
        trailer = self._memory[after - 4 : after].tobytes()
        if trailer == self._memory[place + 4 : place + 8].tobytes():
            return SOUND
        if kind == SECTION or kind not in KNOWN_SET:
            return BROKEN
        # Only the second length is damaged where a sound block follows the first one.
        if after + LEAST > size:
            return BROKEN if ended else MORE
        other = int.from_bytes(trailer, "big" if self.big_endian else "little")
        if place < after - other < after and self._block_at(after - other):
            return BROKEN  # the second length is that of a block inside
        return SOUND if self._block_at(after) else BROKEN

    def accept(self, place: int) -> None:
        """Follow a section header's byte order."""
        kind, _, magic = self._unpack(self._memory, place)
        if kind == SECTION and magic == SWAPPED_MAGIC:
            self._turn(not self.big_endian)
            self.turns.append((place, self.big_endian))

    def leave(self, recent: Ints) -> None:
        """Nothing of a buffer is remembered."""

    def trouble(self, place: int, ended: bool) -> str:
        """What is wrong with the block at ``place``."""
        left = len(self.buffer) - place
        if left < LEAST:
            return f"cut short: block ends after {left} octets"
        says = self._stated(place)
        if LEAST <= says <= MAX_BLOCK_BYTES and ended and says > left:
            return f"cut short: block ends after {left} of {says} octets"
        if LEAST <= says <= MAX_BLOCK_BYTES:
            return "block's two lengths differ"
        return "block header not plausible"

    def restored(self, place: int, *, timely: bool = False) -> list[int]:  # noqa: ARG002 - pcap has to look
        """No hints are needed: the first block of the chain that lives is a block of the file, see `nested`."""
        return []

    def runs_out(self, place: int) -> bool:
        """Whether the block at ``place`` looks like a packet, and ends behind the buffer."""
        short = place + LEAST > len(self.buffer)
        return not short and place + self.length_at(place) > len(self.buffer) and self._block_at(place)

    def disproved(self, place: int, resumed: int) -> bool:  # noqa: ARG002 - pcap has to look
        """A block whose two lengths agree is what it says."""
        return False

    def nested(
        self,
        low: int,
        line: Callable[[], list[int]],  # noqa: ARG002 - pcap has to look
        first: int,
        end: int,
        before: int | None,
        recent: Recent,  # noqa: ARG002
    ) -> int:
        """Blocks inside a packet never lead out of it: the packet's own trailer stands between.

        At the end of the file that trailer may be all that is left, or the file is cut inside that packet.
        """
        size = len(self.buffer)
        broken = low if before is None else before + self.length_at(before)
        last = 0 < size - end < LEAST or (end > size and size - broken < CARRIED_BYTES)
        return LEAST * MAX_BLOCK_BYTES if last and self.inside(broken if broken < first else low, first, size) else 0

    def inside(self, low: int, place: int, resumed: int) -> bool:
        """Whether the trailer before ``resumed`` is that of a block that holds ``place``; or a section begins before.

        What was inserted or deleted moves the block's start away from where its length points.
        """
        if resumed - 4 >= low:
            (says,) = self.words(np.array([resumed - 4])).tolist()
            if says % 4 == 0 and min(low - MOVED_BYTES, resumed - CARRIED_BYTES) <= resumed - says <= place:
                return True
        return SECTION.to_bytes(4, "big") in self.buffer[low : place + 4].tobytes()
