"""Notifications as JSON, lines and documents: the compiled kernel and the reference say the same of any octets."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from unittest import mock

import polars as pl
from polars.testing import assert_frame_equal

from forensics.loaders._reader import Stretch
from forensics.loaders.documents import _notification, notifications
from forensics.loaders.documents._notification import notification_rows
from forensics.loaders.documents._notification_kernel import kernel
from tests.fuzz import Target
from tests.loaders.documents._notifications import IMAGE, INSTANCE, legacy, of_nova, read, versioned

_PORT = {"device_id": INSTANCE, "device_owner": "compute:nova", "mac_address": "FA:16:3E:09:EF:F2", "tenant_id": "p",
         "fixed_ips": [{"ip_address": "172.16.59.10"}], "binding:host_id": "cc12"}  # fmt: skip
_FIXED = [{"address": "10.0.0.5", "vif_mac": "FA-16-3E-24-E7-22", "floating_ips": [{"address": "192.0.2.7"}]},
          {"ip_address": "2001:DB8:0:0::1", "floating_ips": [None, {"address": "10.0.0.5"}]}]  # fmt: skip
_SPEC = {"instance_properties": {"uuid": INSTANCE, "host": "h", "root_gb": 5}, "instance_uuids": [INSTANCE, "b"],
         "instance_type": {"name": "m1.tiny", "root_gb": "3.0"}, "image": {"id": IMAGE}}  # fmt: skip
_IMAGE = {"id": IMAGE, "name": "n", "owner": "o", "properties": {"instance_uuid": INSTANCE, "base_image_ref": "b"}}
_LISTENER = {"metadata": {"message_id": "m", "timestamp": "2014-01-01 00:00:00"}, "event_type": "image.create",
             "publisher_id": "image.ctl1", "payload": {"id": IMAGE}}  # fmt: skip
VALUES = (
    legacy(),
    versioned(),
    legacy(payload={"instance_id": INSTANCE, "fixed_ips": _FIXED, "message": 'a "b" \u2014 \U0001f701 \\ \x01 c'}),
    legacy("port.create.end", publisher_id="network.svc02.os.lan", payload={"port": _PORT}),
    legacy("scheduler.run_instance", payload={"request_spec": _SPEC, "weighted_host": {"host": "w"}}),
    legacy("compute.x.error", payload={"exception": {"kwargs": {"reason": "no"}}, "user_data": "c2VjcmV0"}),
    legacy(priority="error", payload={"message": "password=x", "image_ref_url": "http://h/i//", "key_name": "k"}),
    legacy("image.update", publisher_id="ctl1", payload=_IMAGE),
    legacy(publisher_id="compute.cell!child@cc12", timestamp="2014-01-01T00:00:00.5+00:00", payload={"a": [1.25, {}]}),
    versioned(key_name="k", keypairs=[], metadata={"a-token": "t", "note": "x=y"}, user_data="x"),
    versioned("instance.create.error", fault=of_nova("E", exception="x", exception_message="too small")),
    {**_LISTENER, "ctxt": {"request_id": "r", "user_id": "u"}},
    _LISTENER,
    {"event_type": "compute.x", "generated": "2014-03-26T13:40:02.5", "traits": [["instance_id", 1, "i"]], "raw": {}},
    {"pk": 1, "model": "stacktach.deployment", "fields": {"name": "region-1"}},
    {"payload": json.dumps(legacy()), "routing_key": "r", "exchange": "nova", "payload_encoding": "string"},
)
"""A value for each thing that the kernel looks at, and for some that it leaves to the reference."""
_BESIDE = {"instance": "i", "host": "h", "publisher_id": "compute.c9", "when_ns": 5, "raw_id": 7, "deployment": "d",
           "state": "", "event_type": "e", "routing_key": "rk"}  # fmt: skip


def lines() -> list[bytes]:
    """Each value bare, close together, in an envelope and in a list."""
    forms = (
        json.dumps,
        lambda value: json.dumps(value, separators=(",", ":"), ensure_ascii=False),
        lambda value: json.dumps({"oslo.version": "2.0", "oslo.message": json.dumps(value)}),
        lambda value: json.dumps(["monitor.info", value]),
    )
    return [form(value).encode() for value in VALUES for form in forms]


def documents() -> list[bytes]:
    """The same values in lists and behind one another, over many lines and on one."""
    wide = [json.dumps(value, indent=2, ensure_ascii=False) for value in VALUES]
    close = [json.dumps(value) for value in VALUES]
    own = [
        "[\n" + ",\n".join(wide) + "\n]\n",
        "[" + ", ".join(close) + "]",
        "\n".join(wide) + "\n",
        json.dumps([["monitor.info", value] for value in VALUES], indent=1),
        json.dumps({"events": VALUES, "links": [{"rel": "next"}]}),
        "[" + ",".join([*close[:3], close[3][:-40], *close[4:]]),
    ]
    return [text.encode() for text in own]


def one(data: bytes) -> None:
    """Rows, stretches and notes are equal; so are rows that a table holds, with what it tells beside them."""
    texts = pl.Series(data.decode("utf-8", "replace").split("\n"), dtype=pl.String)
    places = pl.DataFrame({"source": "x", "position": range(len(texts)), "offset_bytes": 0, "length_bytes": 1})
    beside = places.with_columns(**{name: pl.lit(value) for name, value in _BESIDE.items()})
    mine, mine_alone, mine_beside = _read(data), notification_rows(texts, places), notification_rows(texts, beside)
    with reference():
        assert_frame_equal(mine_alone, notification_rows(texts, places))
        assert_frame_equal(mine_beside, notification_rows(texts, beside))
        theirs = _read(data)
    assert_frame_equal(mine[0], theirs[0])
    assert mine[1:] == theirs[1:]


@contextmanager
def reference() -> Iterator[None]:
    """The reference engine within."""
    none = mock.Mock(return_value=None)
    with mock.patch.object(notifications, "kernel", none), mock.patch.object(_notification, "kernel", none):
        yield


def _read(data: bytes) -> tuple[pl.DataFrame, list[Stretch], str | None]:
    return read(notifications.READERS[0], data)


def seeds() -> list[bytes]:
    """Lines alone, and all together."""
    own = lines()
    return [*own, b"\n".join(own) + b"\n", *documents()]


TARGETS = (
    (Target("engines-notifications", one, seeds, lambda inputs: one(b"\n".join(inputs))),)
    if kernel() is not None
    else ()
)
