"""Records of a classic capture file in one buffer: which are sound, and what hints at the next one where one is not."""

from __future__ import annotations

import struct
from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from forensics.loaders.captures import _compiled_chain
from forensics.loaders.captures._chain import Bools, Ints, Tell
from forensics.loaders.captures._follow import BROKEN, DONE, MORE, RECENT_RECORDS, SOUND
from forensics.loaders.captures._kernel import Bounds, Stride, kernel
from forensics.loaders.captures._packet_length import LEAST_ETHERNET_BYTES, by_its_own_header, packet_ends
from forensics.loaders.captures._pcap_format import MAGICS, MAX_WIRE_BYTES, NEAR_S, PcapHeader
from forensics.loaders.captures._resync import Recent

NESTED_BYTES = 256 << 10
"""No capture inside a packet is longer."""
CAPTURE_STARTS = tuple(
    magic.to_bytes(4, order) + version  # type: ignore[arg-type]
    for magic in MAGICS
    for order, version in (("little", b"\x02\x00"), ("big", b"\x00\x02"))
)
CARRIED_BYTES = 64 << 10
"""No packet is longer: so much, where nothing but a step of the clock tells what one carries."""
PADDING_BYTES = LEAST_ETHERNET_BYTES - 14 - 20
"""How far behind the end of an IP packet the next record may start: a short one is padded behind its headers."""
SLACK_S = 1
"""Captures of several queues may step back by less."""


class Fields(NamedTuple):
    """Columns of many record headers."""

    seconds: Ints
    fraction: Ints
    captured: Ints
    wire: Ints


class Clock:
    """What the records so far tell of time; shared by the framings of all buffers of a source."""

    def __init__(self) -> None:
        self.last_s: int | None = None
        """Seconds since 1970 of the last sound record; None where there is none yet."""
        self.steps_back = False
        """Whether a record is older than the one before it."""
        self.headers = np.empty((4, 0), np.int64)
        """Header fields of the last records of the buffers before."""


class PcapFraming:
    """Records of one buffer: `forensics.loaders.captures._follow.RecordFraming` for the classic format.

    A record is sound when its lengths are possible and, if its time is odd (far from the one before) or its
    lengths are (more octets than were on the wire, none at all), when another record follows it. What follows
    is looked at only then: time alone never costs a row. Where the clock leaps and lengths are odd, there is none.

    Args:
        head: The file header.
        buffer: The octets.
        clock: The time of the records before.
    """

    look_bytes = 2048

    def __init__(self, head: PcapHeader, buffer: npt.NDArray[np.uint8], clock: Clock) -> None:
        self.head, self.buffer, self.clock = head, buffer, clock
        self.least_bytes = head.record_bytes
        count = max(0, len(buffer) - head.record_bytes + 1)
        order = ">" if head.big_endian else "<"
        # One row an octet: rows overlap, so that a gather copies each header once and whole.
        self._rows = np.ndarray((count,), "V16", buffer, 0, (1,)) if count else np.empty(0, "V16")
        self._order = order + "u4"
        at = 12 if head.lengths_swapped else 8
        self._captured = np.ndarray((count,), self._order, buffer, at, (1,)) if count else np.empty(0, self._order)
        self._either = head.lengths_swapped is None
        self._wire = np.ndarray((count,), self._order, buffer, 12, (1,)) if count and self._either else self._captured
        self._at = at
        self._unpack = struct.Struct(order + ("II" if self._either else "I")).unpack_from
        self._memory = buffer.data
        self._asked = np.empty(0, np.int64), Fields(*[np.empty(0, np.int64)] * 4)
        self._header = struct.Struct(order + "IIII").unpack_from

    @property
    def stride(self) -> Stride:
        """Where a record says its length."""
        return Stride(self._at, 12 if self._either else -1, self.least_bytes, self.head.big_endian, False)

    @property
    def tells(self) -> tuple[tuple[Tell, ...], ...]:
        """Bounds of single octets that follow from the bounds of the fields, the most telling first."""
        early, late = 0, 0xFFFFFFFF
        if self.clock.last_s is not None:
            early, late = max(0, self.clock.last_s - NEAR_S), min(late, self.clock.last_s + NEAR_S)
        fields = ((0, early, late), (4, 0, 10**self.head.digits - 1), (8, 0, self.head.max_captured))
        tells: list[Tell] = []
        for place, least, greatest in (*fields, (12, 0, MAX_WIRE_BYTES)):
            top, second = (place, place + 1) if self.head.big_endian else (place + 3, place + 2)
            tells.append((top, least >> 24, greatest >> 24))
            if least >> 24 == greatest >> 24:
                tells.append((second, least >> 16 & 255, greatest >> 16 & 255))
        return (tuple(tells),)

    def length_at(self, place: int) -> int:
        """Octets of the record at ``place``."""
        return self.least_bytes + int(min(self._unpack(self._memory, place + self._at)))

    def lengths(self, places: Ints) -> Ints:
        """Octets of the records at ``places``."""
        captured = self._captured[places].astype(np.int64)
        if self._either:
            captured = np.minimum(captured, self._wire[places])
        return captured + self.least_bytes

    def fields(self, places: Ints) -> Fields:
        """Header fields of the records at ``places``, all within the buffer."""
        asked, known = self._asked
        if len(asked) and len(places) and places.base is asked and places[0] == asked[0]:
            # The first of those that were just judged, now to be handed on: slices start with the same record.
            return Fields(*(column[: len(places)] for column in known))
        compiled = kernel()
        if compiled is None:
            fields = self._gathered(places)
        else:
            order, swapped = self.head.big_endian, self.head.lengths_swapped
            fields = Fields(*_compiled_chain.fields(compiled, self.buffer, places, order, swapped))
        if len(places) > len(asked):
            self._asked = places, fields
        return fields

    def _gathered(self, places: Ints) -> Fields:
        rows = self._rows[places].view(self._order).reshape(-1, 4)
        seconds, fraction, captured, wire = rows.T.astype(np.int64, order="C")
        if self._either:
            captured, wire = np.minimum(captured, wire), np.maximum(captured, wire)
        elif self.head.lengths_swapped:
            captured, wire = wire, captured
        return Fields(seconds, fraction, captured, wire)

    def possible(self, fields: Fields) -> Bools:
        """Whether a record header can be one at all, whatever its clock says."""
        some = (fields.wire > 0) | (fields.captured > 0) | (fields.seconds > 0) | (fields.fraction > 0)
        possible: Bools = (fields.captured <= self.head.max_captured) & (fields.wire <= MAX_WIRE_BYTES) & some
        return possible

    def clean(self, fields: Fields) -> Bools:
        """Whether nothing about a record header is odd."""
        usual: Bools = (
            (fields.fraction < 10**self.head.digits) & (fields.captured <= fields.wire) & (fields.captured > 0)
        )
        clean: Bools = self.possible(fields) & usual
        return clean

    def credible(self, places: Ints) -> Bools:
        """Whether a record starts there, judged by its header alone: a clean one, of the time of the others."""
        inside = (places >= 0) & (places < len(self._rows))
        fields = self.fields(np.where(inside, places, 0)) if len(self._rows) else None
        if fields is None:
            return np.zeros(len(places), np.bool_)
        good = inside & self.clean(fields)
        if self.clock.last_s is not None:
            good &= np.abs(fields.seconds - self.clock.last_s) < NEAR_S
        return good

    def related(self, places: Ints, after: Ints) -> Bools:
        """Whether the clocks of neighbours agree."""
        agree: Bools = np.abs(self.fields(places).seconds - self.fields(after).seconds) < NEAR_S
        return agree

    def _scalars(self, place: int) -> tuple[int, int, int, int]:
        seconds, fraction, captured, wire = self._header(self._memory, place)
        if (self._either and captured > wire) or self.head.lengths_swapped:
            captured, wire = wire, captured
        return seconds, fraction, captured, wire

    def _possible(self, seconds: int, fraction: int, captured: int, wire: int) -> bool:
        some = wire or captured or seconds or fraction
        return captured <= self.head.max_captured and wire <= MAX_WIRE_BYTES and bool(some)

    def _odd(self, fields: tuple[int, int, int, int], before_s: int | None) -> tuple[bool, bool, bool]:
        """Whether a record's clock leaps, whether its time is none, and whether its lengths are odd."""
        seconds, fraction, captured, wire = fields
        leap = before_s is not None and abs(seconds - before_s) >= NEAR_S
        return leap, fraction >= 10**self.head.digits, captured > wire or captured == 0

    def verdict(self, place: int, ended: bool) -> int:
        """What can be said of the record at ``place``: the rule of `sound`, for one record."""
        size = len(self.buffer)
        if place + self.least_bytes > size:
            return MORE if not ended else DONE if place == size else BROKEN
        fields = self._scalars(place)
        if not self._possible(*fields):
            return BROKEN
        after = place + self.least_bytes + fields[2]
        if after > size:
            return BROKEN if ended else MORE
        leap, timeless, oblong = self._odd(fields, self.clock.last_s)
        if leap and oblong:
            return BROKEN
        if not leap and not timeless and not oblong:
            return SOUND
        if after + self.least_bytes > size:
            return SOUND if ended else MORE
        return SOUND if self._possible(*self._scalars(after)) else BROKEN

    def sound(self, starts: Ints, after: Ints) -> int:
        """How many records from the first on are sound for sure."""
        size = len(self.buffer)
        if not len(starts):
            return 0
        fields = self.fields(starts)
        compiled = kernel()
        if compiled is not None:
            known, before_s = self.clock.last_s is not None, self.clock.last_s or 0
            bounds = Bounds(10**self.head.digits, self.head.max_captured, MAX_WIRE_BYTES, NEAR_S, before_s, known)
            count, back = _compiled_chain.sound(compiled, fields, after, size, bounds)
            self.clock.steps_back |= back
            return count
        possible = self.possible(fields) & (after <= size)
        before = np.empty_like(fields.seconds)
        before[1:] = fields.seconds[:-1]
        before[0] = fields.seconds[0] if self.clock.last_s is None else self.clock.last_s
        leap, timeless = np.abs(fields.seconds - before) >= NEAR_S, fields.fraction >= 10**self.head.digits
        oblong = (fields.captured > fields.wire) | (fields.captured == 0)
        followed = np.zeros(len(starts), np.bool_)  # the last one is left to `verdict` where it is odd
        followed[:-1] = self.possible(Fields(*(column[1:] for column in fields)))
        bad = ~possible | (leap & oblong) | ((leap | timeless | oblong) & ~followed)
        count = int(np.argmax(bad)) if bad.any() else len(starts)
        if count and not self.clock.steps_back:
            self.clock.steps_back = bool((np.diff(fields.seconds[:count]) < 0).any())
        return count

    def accept(self, place: int) -> None:
        """Take the time of the record at ``place`` for the present."""
        seconds = self._scalars(place)[0]
        if self.clock.last_s is not None and seconds < self.clock.last_s:
            self.clock.steps_back = True
        self.clock.last_s = seconds

    def leave(self, recent: Ints) -> None:
        """Remember the headers of a buffer's last records: a stretch that the file holds twice may begin there."""
        headers = np.array(self.fields(recent)) if len(recent) else self.clock.headers[:, :0]
        self.clock.headers = np.concatenate([self.clock.headers, headers], axis=1)[:, -RECENT_RECORDS:]

    def trouble(self, place: int, ended: bool) -> str:
        """What is wrong with the record at ``place``."""
        left = len(self.buffer) - place
        if left < self.least_bytes:
            return f"cut short: record header ends after {left} of {self.least_bytes} octets"
        fields = self._scalars(place)
        if not self._possible(*fields):
            return "record header not plausible"
        if ended and self.least_bytes + fields[2] > left:
            return f"cut short: record ends after {left} of {self.least_bytes + fields[2]} octets"
        return "record header not plausible: odd, and no record follows it"

    def _limited(self, length: int) -> int:
        return min(length, self.head.snap_bytes) if self.head.snap_bytes else length

    def restored(self, place: int, *, timely: bool = False) -> list[int]:
        """Where the next record starts, if one length of this one is whole, or the packet says its own."""
        first = place + self.least_bytes
        if first > len(self.buffer):
            return []
        seconds, fraction, captured, wire = self._scalars(place)
        now_s = self.clock.last_s
        if timely and (now_s is None or abs(seconds - now_s) >= NEAR_S or fraction >= 10**self.head.digits):
            return []
        lengths = [captured, self._limited(wire)]
        lengths += map(self._limited, by_its_own_header(self.buffer, first, self.head.link_type))
        return [first + length for length in lengths if 0 < length <= self.head.max_captured]

    def runs_out(self, place: int) -> bool:
        """Whether the record at ``place`` has a clean header, and ends behind the buffer."""
        short = place + self.least_bytes > len(self.buffer)
        if short or place + self.length_at(place) <= len(self.buffer):
            return False
        return bool(self.credible(np.array([place]))[0])

    def disproved(self, place: int, resumed: int) -> bool:
        """Whether the next record starts where the wire length says, and not where the captured one does."""
        _, _, captured, wire = self._scalars(place)
        return captured != wire and resumed == place + self.least_bytes + self._limited(wire)

    def nested(
        self, low: int, line: Callable[[], list[int]], first: int, end: int, before: int | None, recent: Recent
    ) -> int:
        """How many records of a chain are those of a capture inside a packet whose own record is damaged.

        Such a capture is older than the packet that carries it, its file header stands before it, and the
        packet's own headers say where it ends. Shifted by an insertion they may say it wrongly: time goes first.
        """
        magic = self._magic(low, first)
        now = None if before is None else self._scalars(before)[:2]
        if now is not None and self.clock.steps_back:
            now = (now[0] - SLACK_S, now[1])
        if magic is None and (now is None or self._plain(first, now, end)):
            return 0
        places = line()
        times = [self._scalars(place)[:2] for place in places]
        steady = not self.clock.steps_back
        if now is not None and steady and len(times) > 1 and magic is None and times[0] > times[1] >= now:
            return 1  # its clock is damaged, and perhaps it is no record at all
        least = 0
        if now is not None and times[0] < now and (magic is not None or not self._seen(first, recent)):
            later = next((i for i, time in enumerate(times) if time >= now), None)
            if later is not None and places[later] - first <= NESTED_BYTES:
                least = later
            elif magic is not None and places[-1] + self.length_at(places[-1]) == end:
                return len(places)
        if magic is None:
            return least
        back = next((i for i in range(least + 1, len(times)) if times[i] < times[i - 1]), 0)
        if back and steady and places[back] - first <= CARRIED_BYTES:
            return back
        held = before is not None and magic < before + self.length_at(before)
        if held and steady and now is not None and now <= times[least]:
            return least  # the packet that carries the capture is older than this record
        for carrier in packet_ends(self.buffer, low, magic):
            if carrier >= end and not least:
                return len(places)
            for count, place in enumerate(places[least:], least):
                if 0 <= place - carrier <= PADDING_BYTES:
                    return count
        return least

    def _plain(self, first: int, now: tuple[int, int], end: int) -> bool:
        """Whether a record's time, and the next one's, are what follows ``now``."""
        time = self._scalars(first)[:2]
        second = first + self.length_at(first)
        return now <= time and (second >= end or time <= self._scalars(second)[:2])

    def inside(self, low: int, place: int, resumed: int) -> bool:  # noqa: ARG002 - pcapng states it
        """Whether a capture begins before ``place``, which a packet carries then."""
        return self._magic(low, place) is not None

    def _magic(self, low: int, high: int) -> int | None:
        """Where the last capture file begins in ``[low, high)``, None where there is none."""
        first = max(low, high - NESTED_BYTES)
        octets = self.buffer[first:high].tobytes()
        best = max(octets.rfind(start) for start in CAPTURE_STARTS)
        return None if best < 0 else first + best

    def _seen(self, place: int, recent: Recent) -> bool:
        """Whether the record at ``place`` repeats one of the last sound ones: a stretch that the file holds twice."""
        starts = recent()
        known = np.array(self.fields(starts)) if len(starts) else self.clock.headers[:, :0]
        earlier = self.clock.headers
        before = earlier[:, max(0, earlier.shape[1] + len(starts) - RECENT_RECORDS) :]
        header = np.array(self._scalars(place))[:, None]
        return bool((known == header).all(axis=0).any() or (before == header).all(axis=0).any())
