"""Frames of AMQP 0-9-1 in one direction of a connection, also where a capture holds only the start of each packet."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

METHOD, HEADER, BODY, HEARTBEAT = 1, 2, 3, 8
FRAME_END = 0xCE
FRAME_HEAD, OVERHEAD = 7, 8
"""Octets in front of a frame's payload, and in all around it (section 4.2.3)."""
BASIC = 60
CONTENTS = {40: "publish", 50: "return", 60: "deliver", 71: "get-ok"}
"""Methods of class basic that a content follows."""
_CLASSES = frozenset({10, 20, 30, 40, 50, 60, 85, 90})
_PREAMBLE = b"AMQP"
_LARGEST_METHOD = 1 << 20
_USUAL_FRAME = 131_072
"""frame_max that RabbitMQ proposes."""
_BODY_KEPT = 16_384
_RPC = {
    "rpc_method": re.compile(rb'\\*"method\\*": ?\\*"(\w{1,80})\\*"'),
    "msg_id": re.compile(rb'\\*"_msg_id\\*": ?\\*"([0-9a-f]{32})\\*"'),
    "request_id": re.compile(rb'\\*"_context_request_id\\*": ?\\*"(req-[0-9a-f-]{36})\\*"'),
    "instance": re.compile(
        rb'\\*"(?:instance_uuid|instance_id|uuid)\\*": ?\\*"([0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12})\\*"'
    ),
}
"""What is read out of the JSON of an OpenStack RPC call, in an oslo envelope (quotes escaped once) or bare."""


@dataclass(slots=True)
class Content:
    """One content on its way."""

    method: str
    place: int
    tag: Any
    fields: dict[str, Any]
    size: int | None = None
    arrived: int = 0
    seen: int = 0
    ended: Any = None
    next_place: int | None = None
    head: bytearray = field(default_factory=bytearray)

    def rpc(self) -> dict[str, str]:
        """What the body tells of an RPC call."""
        octets = bytes(self.head)
        found = {name: pattern.search(octets) for name, pattern in _RPC.items()}
        return {name: match[1].decode("ascii") for name, match in found.items() if match}


class Frames:
    """Takes one direction of a connection apart; hands on each content when it is complete, or as far as it came."""

    def __init__(self, done: Callable[[Content], None], *, from_start: bool) -> None:
        self._done = done
        self._buffer = bytearray()
        self._place = 0
        self._tags: list[tuple[int, Any]] = []
        self._lost = not from_start
        self._skip = 0
        self._filling: Content | None = None
        self._open: dict[int, Content] = {}
        self._latest: Content | None = None
        self._frame_bytes = _USUAL_FRAME - OVERHEAD
        self._expected: Content | None = None

    def octets(self, data: bytes, place: int, tag: Any) -> None:
        """See `forensics.loaders.captures._tcp_stream.Sink`."""
        if not self._buffer:
            self._place = place
            self._tags.clear()
        self._tags.append((place, tag))
        self._buffer += data
        self._work(tag)

    def hole(self, size: int) -> None:
        """See `forensics.loaders.captures._tcp_stream.Sink`."""
        if self._buffer:
            size = self._cut_frame(size)
        self._drop(len(self._buffer))
        self._place += size
        while size > 0 and not self._lost:
            if self._skip:
                step = min(size, self._skip)
                self._skip -= step
                size -= step
                self._body_ended()
            elif self._expected is not None and (following := self._following()):
                size -= FRAME_HEAD  # a head that was not captured: its size follows from what is still to come
                self._skip = following + 1 - min(0, size)
            else:
                self._lost = True

    def end(self) -> None:
        """No more will come."""
        self._superseded(None)
        for content in list(self._open.values()):
            self._complete(content)

    def _following(self) -> int:
        """Size of the body frame that comes next by what the content's header said."""
        assert self._expected is not None
        content = self._expected
        left = (content.size or 0) - content.arrived
        size = min(left, self._frame_bytes)
        content.arrived += size
        self._filling = content if size > 0 else None
        return max(size, 0)

    def _drop(self, count: int) -> None:
        del self._buffer[:count]
        self._place += count
        while len(self._tags) > 1 and self._tags[1][0] <= self._place:
            del self._tags[0]

    def _work(self, tag: Any) -> None:
        while self._buffer:
            if self._skip:
                self._body(tag)
            elif self._lost:
                if not self._resume():
                    return
            elif not self._frame():
                return

    def _body(self, tag: Any) -> None:
        """Octets of a body frame and the octet behind it."""
        count = min(self._skip, len(self._buffer))
        content = self._filling
        if content is not None:
            inside = max(0, min(count, self._skip - 1))
            if len(content.head) < _BODY_KEPT:
                content.head += self._buffer[: min(inside, _BODY_KEPT - len(content.head))]
            content.seen += inside
            content.ended = tag
        self._skip -= count
        self._drop(count)
        self._body_ended()

    def _body_ended(self) -> None:
        content = self._filling
        if not self._skip and content is not None:
            self._filling = None
            if content.size is not None and content.arrived >= content.size:
                self._complete(content)

    def _complete(self, content: Content) -> None:
        """Nothing more of a content will come; the latest one is handed on once it is known where the next begins."""
        self._expected = None
        self._open.pop(content.fields["channel"], None)
        if content is not self._latest:
            self._done(content)

    def _resume(self) -> bool:
        """Find a frame's start: at the start of what came, or behind the end of another."""
        if _plausible(self._buffer, 0):
            self._lost = False
            return True
        at = self._buffer.find(FRAME_END)
        while at >= 0:
            if _plausible(self._buffer, at + 1):
                self._drop(at + 1)
                self._lost = False
                return True
            at = self._buffer.find(FRAME_END, at + 1)
        self._drop(max(0, len(self._buffer) - FRAME_HEAD - 4))
        return False

    def _frame(self) -> bool:
        """One frame at the start of the buffer; False where more octets are needed."""
        buffer = self._buffer
        if buffer[:4] == _PREAMBLE[: len(buffer[:4])]:
            if len(buffer) < 8:
                return False
            self._drop(8)
            return True
        if len(buffer) < FRAME_HEAD:
            return False
        kind, channel, size = buffer[0], int.from_bytes(buffer[1:3], "big"), int.from_bytes(buffer[3:7], "big")
        if kind == BODY:
            content = self._open.get(channel)
            self._drop(FRAME_HEAD)
            self._skip, self._filling = size + 1, content
            if content is not None:
                content.arrived += size
                if content.size is not None and content.arrived < content.size:
                    self._frame_bytes = size
                    self._expected = content
            return True
        if kind not in (METHOD, HEADER, HEARTBEAT, 4) or size > _LARGEST_METHOD:
            self._lost = True
            return True
        if len(buffer) < FRAME_HEAD + size + 1:
            return False
        if buffer[FRAME_HEAD + size] != FRAME_END:
            self._drop(1)
            self._lost = True
            return True
        payload = bytes(buffer[FRAME_HEAD : FRAME_HEAD + size])
        self._take(kind, channel, payload)
        self._drop(FRAME_HEAD + size + 1)
        return True

    def _cut_frame(self, size: int) -> int:
        """Take what there is of a frame whose rest was not captured; returns the octets of the hole behind it."""
        buffer = self._buffer
        if self._lost or self._skip or len(buffer) < FRAME_HEAD:
            self._lost = self._lost or not self._skip
            return size
        kind, channel, whole = buffer[0], int.from_bytes(buffer[1:3], "big"), int.from_bytes(buffer[3:7], "big")
        if kind in (METHOD, HEADER):
            self._take(kind, channel, bytes(buffer[FRAME_HEAD:]))
        self._skip, self._filling = FRAME_HEAD + whole + 1 - len(buffer), None
        return size

    def _take(self, kind: int, channel: int, payload: bytes) -> None:
        if kind == HEADER:
            self._header(channel, payload)
        if kind != METHOD or len(payload) < 4:
            return
        self._superseded(self._place)
        group, method = int.from_bytes(payload[:2], "big"), int.from_bytes(payload[2:4], "big")
        if channel in self._open:
            self._complete(self._open[channel])
        if group == BASIC and method in CONTENTS:
            tag = self._tags[0][1]
            content = Content(
                CONTENTS[method], self._place, tag, _arguments(method, payload[4:]) | {"channel": channel}
            )
            content.ended = tag
            self._open[channel] = self._latest = content

    def _header(self, channel: int, payload: bytes) -> None:
        content = self._open.get(channel)
        if content is None or len(payload) < 12:
            return
        content.size = int.from_bytes(payload[4:12], "big")
        content.fields |= _properties(payload[12:])
        if content.size == 0:
            self._complete(content)
        else:
            self._expected = content

    def _superseded(self, place: int | None) -> None:
        """The latest content is followed at a place; what is still to come of it stands between frames of others."""
        latest, self._latest = self._latest, None
        if latest is not None:
            latest.next_place = place
            if latest.fields["channel"] not in self._open:
                self._done(latest)


def _plausible(buffer: bytearray, at: int) -> bool:
    """Whether a method frame, a heartbeat or a connection begins here."""
    head = bytes(buffer[at : at + FRAME_HEAD + 4])
    if head[:5] == _PREAMBLE + b"\0":
        return True
    if head[:1] == bytes((HEARTBEAT,)):
        return head[:8] == bytes((HEARTBEAT, 0, 0, 0, 0, 0, 0, FRAME_END))
    if len(head) < FRAME_HEAD + 4 or head[0] != METHOD:
        return False
    size = int.from_bytes(head[3:7], "big")
    group, method = int.from_bytes(head[7:9], "big"), int.from_bytes(head[9:11], "big")
    return 4 <= size <= _LARGEST_METHOD and group in _CLASSES and 10 <= method <= 120


def _short(payload: bytes, at: int) -> tuple[str | None, int]:
    """A short string, and where it ends; None where it was not captured whole."""
    if at >= len(payload):
        return None, at
    end = at + 1 + payload[at]
    if end > len(payload):
        return None, len(payload)
    return payload[at + 1 : end].decode("utf-8", "backslashreplace"), end


def _arguments(method: int, payload: bytes) -> dict[str, Any]:
    """Exchange, routing key and consumer of a method that a content follows."""
    found: dict[str, Any] = {}
    at = 2 if method == 40 else 0
    if method == 60:
        found["consumer_tag"], at = _short(payload, 0)
    if method in (60, 71):
        at += 9  # delivery tag, and whether it was delivered before
    if method == 50:
        at = _short(payload, 2)[1]
    found["exchange"], at = _short(payload, at)
    found["routing_key"], at = _short(payload, at)
    return found


def _properties(payload: bytes) -> dict[str, Any]:
    """Correlation id and reply-to; the properties before them are stepped over."""
    if len(payload) < 2:
        return {}
    flags, at = int.from_bytes(payload[:2], "big"), 2
    found: dict[str, Any] = {}
    for bit, name in ((15, None), (14, None), (13, "table"), (12, "octet"), (11, "octet")):
        if not flags >> bit & 1:
            continue
        if name == "table":
            at += 4 + int.from_bytes(payload[at : at + 4], "big")
        elif name == "octet":
            at += 1
        else:
            at = _short(payload, at)[1]
    for bit, name in ((10, "correlation_id"), (9, "reply_to")):
        if flags >> bit & 1:
            found[name], at = _short(payload, at)
    return found
