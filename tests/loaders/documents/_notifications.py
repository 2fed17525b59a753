"""Notifications that the tests write, and what a reader makes of them."""

from __future__ import annotations

import io
import json
from datetime import UTC, datetime
from typing import Any

import polars as pl

from forensics.evidence import stream_of
from forensics.loaders._reader import Origin, Reader, Stretch
from forensics.records import Notification

INSTANCE = "4cb5cc5f-7299-478f-b8d9-ec3973dfaaa6"
IMAGE = "93b59817-32c0-42f3-84df-9c27587c97cb"
REQUEST = "req-a7517402-6192-4d0a-85a1-e14051790d5a"


def legacy(event: str = "compute.instance.create.end", number: int = 1, **other: Any) -> dict[str, Any]:
    """A notification of nova before it had versions."""
    return {
        "_context_request_id": REQUEST,
        "_context_auth_token": "t0ps3cret",
        "message_id": f"7f5b0000-0000-0000-0000-{number:012}",
        "publisher_id": "compute.cc12",
        "event_type": event,
        "priority": "INFO",
        "timestamp": "2014-03-26 13:40:02.120034",
        "payload": {
            "instance_id": INSTANCE,
            "tenant_id": "400504",
            "user_id": "782857",
            "state": "active",
            "state_description": "",
            "root_gb": 40,
            "host": "cc12",
            "image_ref_url": f"http://192.0.2.1:9292/images/{IMAGE}",
            "created_at": "2014-03-26 07:51:29.896356",
            "launched_at": "2014-03-26T07:52:00Z",
            "deleted_at": "",
        },
        **other,
    }


def versioned(event: str = "instance.create.end", **data: Any) -> dict[str, Any]:
    """A notification of nova's versioned kind."""
    own = {
        "uuid": INSTANCE,
        "image_uuid": IMAGE,
        "host": "cc12",
        "state": "active",
        "request_id": REQUEST,
        "flavor": of_nova("FlavorPayload", name="m1.small", root_gb=20),
        "ip_addresses": [of_nova("IpPayload", mac="FA:16:3E:4C:2C:30", address="fd00:0::03")],
        "launched_at": "2012-10-29T13:42:11+00:00",
        **data,
    }
    return {
        "event_type": event,
        "publisher_id": "nova-compute:cc12.example.org",
        "priority": "INFO",
        "payload": of_nova("InstanceCreatePayload", **own),
    }


def of_nova(name: str, /, **data: Any) -> dict[str, Any]:
    """An object as nova puts it into a payload."""
    return {
        "nova_object.name": name,
        "nova_object.namespace": "nova",
        "nova_object.version": "1.10",
        "nova_object.data": data,
    }


def read(reader: Reader, octets: bytes | str, name: str = "x.json") -> tuple[pl.DataFrame, list[Stretch], str | None]:
    """Rows, stretches and the note; every octet must be in exactly one place, unless a line tells several rows."""
    data = octets.encode() if isinstance(octets, str) else octets
    frames, stretches, note = [Notification.empty()], [], None
    for batch in reader.batches(stream_of(io.BytesIO(data), name), Origin(name)):
        frames += [frame for frame in batch.rows.values() if frame.height]
        stretches += batch.stretches
        note = batch.facts.get("note", note)
    rows = Notification.validate(pl.concat(frames))
    places = list(rows.select("offset_bytes", "length_bytes").iter_rows())
    at = 0
    for offset, length in sorted([*places, *((one.offset_bytes, one.length_bytes) for one in stretches)]):
        assert offset == at, (offset, at)
        at = offset + length
    assert at == len(data)
    return rows, stretches, note


def dumps(value: Any) -> str:
    """JSON text on one line."""
    return json.dumps(value)


def at(text: str) -> datetime:
    """An instant of UTC."""
    return datetime.fromisoformat(text).replace(tzinfo=UTC)
