"""One direction of a TCP connection put in order: octets that the capture holds, and holes that it does not."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Generic, Protocol, TypeVar

_WRAP = 1 << 32
_MOST_WAITING = 512
"""Segments that wait for one before them; then what is missing is taken as lost."""

Tag = TypeVar("Tag")
_Tag = TypeVar("_Tag", contravariant=True)


class Sink(Protocol[_Tag]):
    """Takes a stream, in order."""

    def octets(self, data: bytes, place: int, tag: _Tag) -> None:
        """Octets that were captured; ``place`` counts from the start of what was seen, ``tag`` tells the packet."""
        ...

    def hole(self, size: int) -> None:
        """Octets that were sent and not captured."""
        ...


@dataclass(slots=True)
class TcpStream(Generic[Tag]):
    """Puts the segments of one direction in order; each octet is handed on once, whatever was sent again."""

    sink: Sink[Tag]
    _next: int | None = None
    _origin: int = 0
    _waiting: dict[int, tuple[bytes, int, Tag]] = field(default_factory=dict)

    def segment(self, seq: int, data: bytes, size: int, tag: Tag, *, syn: bool = False) -> None:
        """A further segment.

        Args:
            seq: Its sequence number.
            data: Its octets as far as they were captured.
            size: How many it had.
            tag: What the sink is told of the packet.
            syn: Whether it opens the connection: then the stream begins behind it, whatever was before.
        """
        if syn:
            self.end()
            self._next = self._origin = seq + 1
            seq += 1
        if size <= 0:
            return
        if self._next is None:
            self._next = self._origin = seq
        place = self._next + (seq - self._next + _WRAP // 2) % _WRAP - _WRAP // 2
        if place + size <= self._next:
            return
        if place > self._next:
            kept = self._waiting.get(place)
            if kept is None or kept[1] < size:
                self._waiting[place] = (data, size, tag)
            if len(self._waiting) > _MOST_WAITING:
                self._give_up()
            return
        self._take(place, data, size, tag)
        self._drain()

    def end(self) -> None:
        """Hand on what still waits: nothing more will come."""
        while self._waiting:
            self._give_up()

    def _take(self, place: int, data: bytes, size: int, tag: Tag) -> None:
        assert self._next is not None
        known = self._next - place
        data = data[known:]
        missing = place + size - self._next - len(data)
        if data:
            self.sink.octets(data, self._next - self._origin, tag)
        if missing > 0:
            self.sink.hole(missing)
        self._next = place + size

    def _drain(self) -> None:
        while self._waiting and self._next is not None:
            first = min(self._waiting)
            if first > self._next:
                return
            data, size, tag = self._waiting.pop(first)
            if first + size > self._next:
                self._take(first, data, size, tag)

    def _give_up(self) -> None:
        assert self._next is not None
        first = min(self._waiting)
        if first > self._next:
            self.sink.hole(first - self._next)
            self._next = first
        self._drain()
