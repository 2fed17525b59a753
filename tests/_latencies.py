"""API requests, row counts and listings of memory in a few words, for tests."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
import polars as pl

from forensics.records import ApiRequest, Instance, LogRecord, ProcessMemory, Record, RowCount, ShellCommand

START = datetime(2014, 1, 1, tzinfo=UTC)
DAY_S = 86_400.0


def instant(seconds: float) -> datetime:
    """So many seconds after the start of all."""
    return START + timedelta(seconds=float(seconds))


def frame(record: type[Record], rows: Sequence[dict[str, Any]]) -> pl.LazyFrame:
    """Rows of a record; what they do not say is null."""
    schema = record.polars_schema()
    return pl.DataFrame([{name: row.get(name) for name in schema} for row in rows], schema=schema).lazy()


def moments(days: float, count: int, seed: int = 0) -> np.ndarray[Any, Any]:
    """Instants, evenly scattered."""
    return np.sort(np.random.default_rng(seed).uniform(0, days * DAY_S, count))


def asked(
    at: Sequence[float],
    seconds: Sequence[float],
    operation: str = "RunInstances",
    source: str = "api01/nova-api.log",
    host: str | None = None,
    *,
    status: int | Sequence[int] = 200,
    length: int | Sequence[int] = 1000,
    service: str = "nova-ec2",
    written_by: str = "eventlet",
    first: int = 1,
) -> list[dict[str, Any]]:
    """Requests that came in at some instants and lasted so long."""
    statuses = [status] * len(at) if isinstance(status, int) else list(status)
    lengths = [length] * len(at) if isinstance(length, int) else [int(n) for n in length]
    return [
        {
            "ts": instant(came + lasted), "started_at": instant(came), "host": host, "source": source,
            "position": first + n, "offset_bytes": 0, "length_bytes": 1, "service": service, "client": "10.0.0.9",
            "method": "GET", "path": f"/{operation}", "operation": operation, "status": statuses[n],
            "response_bytes": lengths[n], "duration_s": float(lasted), "request_id": f"req-{source}-{operation}-{came}",
            "stamped": "end", "malformed": False, "written_by": written_by,
        }
        for n, (came, lasted) in enumerate(zip(at, seconds, strict=True))
    ]  # fmt: skip


def counted(
    at: Sequence[float], rows: Sequence[float], table: str = "instances", source: str = "api01/rows.csv", **rest: Any
) -> list[dict[str, Any]]:
    """Counts of a table."""
    return [
        {
            "ts": instant(when), "ts_basis": "stated", "source": source, "position": n + 1, "offset_bytes": 0,
            "length_bytes": 1, "table": table, "state": "all", "rows": int(count), "is_estimate": False,
        } | rest
        for n, (when, count) in enumerate(zip(at, rows, strict=True))
    ]  # fmt: skip


def listed(
    at: Sequence[float], resident: Sequence[float], process: str = "nova-api", pid: int = 7, **rest: Any
) -> list[dict[str, Any]]:
    """Listings of one process."""
    return [
        {
            "ts": instant(when), "ts_basis": "stated", "source": "api01/ps.txt", "position": n + 1, "offset_bytes": 0,
            "length_bytes": 1, "process": process, "pid": pid, "resident_bytes": int(size), "tool": "ps",
        } | rest
        for n, (when, size) in enumerate(zip(at, resident, strict=True))
    ]  # fmt: skip


def said(
    at: float, message: str, source: str = "api01/nova-api.log", position: int = 9000, **rest: Any
) -> dict[str, Any]:
    """One line of a log."""
    return {
        "ts": instant(at), "source": source, "position": position, "offset_bytes": 0, "length_bytes": 1,
        "message": message, "n_lines": 1, "framing": "oslo-havana",
    } | rest  # fmt: skip


def frames(
    requests: Sequence[dict[str, Any]],
    counts: Sequence[dict[str, Any]] = (),
    instances: Sequence[dict[str, Any]] = (),
    commands: Sequence[dict[str, Any]] = (),
    logs: Sequence[dict[str, Any]] = (),
) -> tuple[pl.LazyFrame, ...]:
    """What the analysis of latency takes, but for the clocks."""
    pairs = (
        (ApiRequest, requests), (RowCount, counts), (Instance, instances), (ShellCommand, commands), (LogRecord, logs)
    )  # fmt: skip
    return tuple(frame(record, rows) for record, rows in pairs)


def memory_frames(
    memory: Sequence[dict[str, Any]], requests: Sequence[dict[str, Any]], logs: Sequence[dict[str, Any]] = ()
) -> tuple[pl.LazyFrame, ...]:
    """What the analysis of memory takes, but for the clocks."""
    return frame(ProcessMemory, memory), frame(ApiRequest, requests), frame(LogRecord, logs)
