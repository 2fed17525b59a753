"""BrokerTransfer, from TCP connections to port 5672 (AMQP 0-9-1)."""

from __future__ import annotations

from typing import Any

import numpy as np
import polars as pl

from forensics.loaders.captures._amqp_frames import Content, Frames
from forensics.loaders.captures._block import Block
from forensics.loaders.captures._tcp_stream import TcpStream
from forensics.records import BrokerTransfer

RECORD = BrokerTransfer
PORT = 5672
TCP = 6
_SYN, _FIN, _RST = 0x02, 0x01, 0x04
_MOST_BODY_BYTES = 1 << 40
"""A longer body is a damaged header: no broker carries one (RabbitMQ: max_message_size, at most 512 MiB)."""
_MOST_STREAMS = 50_000


def _broker(prefix: str) -> pl.Expr:
    either = (pl.col(f"{prefix}src_port") == PORT) | (pl.col(f"{prefix}dst_port") == PORT)
    return (pl.col(f"{prefix}protocol") == TCP) & either


WANTS = _broker("") | _broker("inner_")
"""The packets between a broker and its clients, outside a tunnel or inside."""

_PLACE = ("ts", "host", "source", "position", "offset_bytes", "length_bytes")
_HEADERS = ("src", "src_port", "dst", "dst_port", "tcp_seq", "tcp_flags", "payload_bytes", "payload_offset_bytes")
_Key = tuple[str, int, str, int]


class Memory:
    """The connections of one capture."""

    def __init__(self) -> None:
        self._streams: dict[_Key, tuple[TcpStream[dict[str, Any]], Frames]] = {}
        self._rows: list[dict[str, Any]] = []

    def read(self, block: Block, packets: pl.DataFrame) -> pl.DataFrame:
        """Read the transfers that these packets complete.

        Args:
            block: The packets' octets.
            packets: Rows of Packet out of this block that `WANTS` let pass, all columns.
        """
        inside = ~_broker("").fill_null(False)
        header = [pl.when(inside).then(f"inner_{name}").otherwise(name).alias(name) for name in _HEADERS]
        rows = np.searchsorted(block.record_offset, packets["offset_bytes"].to_numpy())
        ends = (block.start[rows] + block.captured[rows]).tolist()
        told = packets.select(pl.col("ts").to_physical(), *_PLACE[1:], *header)
        for row, end in zip(told.iter_rows(named=True), ends, strict=True):
            if row["src"] is None or row["dst"] is None or row["tcp_seq"] is None or row["tcp_flags"] is None:
                continue
            self._packet(block, row, end)
        return self._taken()

    def rest(self) -> pl.DataFrame:
        """The transfers that the capture's end cut off."""
        for stream, frames in self._streams.values():
            stream.end()
            frames.end()
        self._streams.clear()
        return self._taken()

    def _packet(self, block: Block, row: dict[str, Any], end: int) -> None:
        key: _Key = (row["src"], row["src_port"], row["dst"], row["dst_port"])
        syn = bool(row["tcp_flags"] & _SYN)
        if syn or key not in self._streams:
            if key in self._streams:
                self._close(key)
            elif len(self._streams) >= _MOST_STREAMS:
                self._close(next(iter(self._streams)))
            self._streams[key] = self._opened(key, from_start=syn)
        stream, _ = self._streams[key]
        size, place = row["payload_bytes"] or 0, row["payload_offset_bytes"]
        data = b""
        if size and place is not None:
            low = place - block.base_offset
            data = block.buffer[low : max(low, min(low + size, end))].tobytes()
        tag = {name: row[name] for name in _PLACE}
        stream.segment(row["tcp_seq"], data, size, tag, syn=syn)
        if row["tcp_flags"] & (_FIN | _RST):
            self._close(key)

    def _opened(self, key: _Key, *, from_start: bool) -> tuple[TcpStream[dict[str, Any]], Frames]:
        def done(content: Content) -> None:
            self._rows.append(_row(key, content))

        frames = Frames(done, from_start=from_start)
        return TcpStream(frames), frames

    def _close(self, key: _Key) -> None:
        stream, frames = self._streams.pop(key)
        stream.end()
        frames.end()

    def _taken(self) -> pl.DataFrame:
        rows, self._rows = self._rows, []
        schema = BrokerTransfer.polars_schema()
        instants = ("ts", "ended_at")
        loose = {name: pl.Int64() if name in instants else kind for name, kind in schema.items()}
        return pl.DataFrame(rows, schema=loose).cast(schema).sort("position", maintain_order=True)


def _row(key: _Key, content: Content) -> dict[str, Any]:
    src, src_port, dst, dst_port = key
    client = f"{src}:{src_port}-{dst}:{dst_port}" if dst_port == PORT else f"{dst}:{dst_port}-{src}:{src_port}"
    told = content.size is not None and content.size < _MOST_BODY_BYTES
    carried = None if content.next_place is None else content.next_place - content.place
    return {
        **content.tag,
        "method": content.method,
        "src": src, "src_port": src_port, "dst": dst, "dst_port": dst_port,
        **content.fields,
        "body_bytes": content.size if told else None,
        "seen_bytes": content.seen,
        "carried_bytes": carried,
        "ended_at": content.ended["ts"] if content.ended else None,
        **content.rpc(),
        "connection": client,
    }  # fmt: skip
