"""Notifications in every JSON form that they come in as files (formats.md 4.5 to 4.10)."""

import json
import re
from pathlib import Path

import polars as pl
import pytest

from forensics.evidence import open_stream, walk
from forensics.loaders._reader import Origin
from forensics.loaders.documents import _json_elements
from forensics.loaders.documents.notifications import READERS
from forensics.records import Notification
from tests._evidence import evidence_root
from tests.loaders.documents._notifications import (
    INSTANCE,
    at,
    dumps,
    legacy,
    of_nova,
    read,
    versioned,
)

READER = READERS[0]


def test_lines_are_read_each_for_itself() -> None:  # formats.md 4.6, 4.10
    good = [dumps(legacy(number=1)), dumps(["monitor.info", legacy(number=2)]), dumps(legacy(number=2)) + ","]
    data = "\n".join([*good[:2], "", '{"event_type": "cut', "noise", dumps({"some": "thing"}), good[2], ""])
    rows, stretches, note = read(READER, data)
    assert rows["position"].to_list() == [1, 2, 7]
    assert [(one.position, one.kind) for one in stretches] == [
        (3, "padding"),
        (4, "reject"),
        (5, "reject"),
        (6, "reject"),
    ]
    assert [one.reason for one in stretches[1:]] == [
        "JSON that is cut off or damaged", "not JSON", "JSON, but no notification"
    ]  # fmt: skip
    assert note == "1 notifications bear the message_id of one before"
    assert 0.4 < READER.likeness(data.encode(), "x") < 0.6  # three of six


def test_octets_that_are_no_utf_8_spoil_nothing_else() -> None:
    data = dumps(legacy()).encode() + b"\n" + dumps(legacy()).encode().replace(b"active", b"\xff\xfe") + b"\n"
    rows, stretches, _ = read(READER, data)
    assert rows.height == 2
    assert not stretches


@pytest.mark.parametrize("indent", [None, 4])
@pytest.mark.parametrize("form", ["list", "behind one another", "wrapped", "lists"])
def test_documents_of_many_values(form: str, indent: int | None) -> None:  # formats.md 4.6
    values = [
        legacy(number=1),
        versioned(),
        ["monitor.info", legacy(number=3)],
        legacy("compute.instance.delete.start"),
    ]
    text = {
        "list": json.dumps(values, indent=indent),
        "behind one another": "\n".join(json.dumps(value, indent=indent) for value in values),
        "wrapped": json.dumps({"events": values}, indent=indent),
        "lists": json.dumps([values[:2], values[2:]], indent=indent),
    }[form]
    data = text.encode()
    rows, stretches, _ = read(READER, data)
    assert rows["event_type"].to_list() == [
        "compute.instance.create.end", "instance.create.end", "compute.instance.create.end",
        "compute.instance.delete.start",
    ]  # fmt: skip
    assert not [one for one in stretches if one.kind == "reject"]
    places = rows.select("offset_bytes", "length_bytes", "position").rows()
    for (offset, length, line), value in zip(places, values, strict=True):
        assert json.loads(data[offset : offset + length]) == value
        assert line == data[:offset].count(b"\n") + 1
    assert READER.likeness(data, "x") > 0.9


def test_values_across_chunks(monkeypatch: pytest.MonkeyPatch) -> None:
    values = [legacy(number=n, payload={"instance_id": INSTANCE, "display_name": "é" * (n % 50)}) for n in range(60)]
    for chunk in (700, 1024, 5000):
        monkeypatch.setattr(_json_elements, "CHUNK_BYTES", chunk)
        for text in (
            json.dumps(values, ensure_ascii=False),
            json.dumps(values, indent=2),
            "\n".join(map(dumps, values)),
        ):
            rows, stretches, _ = read(READER, text)
            assert rows["message_id"].to_list() == [value["message_id"] for value in values]
            assert not [one for one in stretches if one.kind == "reject"]


def test_damage_within_a_document_costs_what_is_damaged() -> None:
    values = [json.dumps(legacy(number=n), indent=1) for n in range(5)]
    values[2] = values[2].replace('"payload": {', '"payload": {{{')
    rows, stretches, _ = read(READER, "[\n" + ",\n".join(values) + "\n]\n")
    assert rows["message_id"].str.slice(-1).to_list() == ["0", "1", "3", "4"]
    assert {one.reason for one in stretches if one.kind == "reject"} >= {"JSON that is cut off or damaged"}
    whole = json.dumps([legacy(number=n) for n in range(4)])
    rows, stretches, _ = read(READER, whole[: int(len(whole) * 0.9)])
    assert rows.height == 3
    assert stretches[-1].kind == "reject"
    for text in ("[" * 5000, '{"a":' * 3000, '["' * 3000, "{" * 9000, "[{" + '"' * 999, '[{"event_type": '):
        assert read(READER, text)[0].height == 0


def test_a_value_that_is_longer_than_it_may_be_is_a_reject(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_json_elements, "CHUNK_BYTES", 2000)
    monkeypatch.setattr(_json_elements, "MOST_BYTES", 8000)
    long = legacy(payload={"x": "y" * 60_000})
    rows, stretches, _ = read(READER, json.dumps([legacy(), long, legacy("image.delete")]))
    assert rows["event_type"].to_list() == ["compute.instance.create.end", "image.delete"]
    assert [one.kind for one in stretches].count("reject") >= 1
    rows, stretches, _ = read(READER, "\n".join(map(dumps, [legacy(), long, legacy()])))
    assert rows.height == 2


def test_django_s_dump() -> None:  # formats.md 4.6
    fields = {
        "deployment": 1, "tenant": "400504", "json": dumps(["monitor.info", legacy()]), "routing_key": "monitor.info",
        "when": "1389713962.574829", "instance": INSTANCE, "host": "cc12", "event": "x", "state": "active",
    }  # fmt: skip
    values = [
        {"pk": 1, "model": "stacktach.deployment", "fields": {"name": "region-1"}},
        {"pk": 40065869, "model": "stacktach.rawdata", "fields": fields},
        {
            "pk": 40065870,
            "model": "stacktach.rawdata",
            "fields": {**fields, "json": '["monitor.info", {"cut', "event": "e"},
        },
    ]
    for text in (json.dumps(values), "\n".join(map(dumps, values)), json.dumps(values, indent=4)):
        rows, stretches, _ = read(READER, text)
        assert rows.select("raw_id", "deployment").rows() == [(40065869, "region-1"), (40065870, "region-1")]
        assert rows["ts"].to_list() == [at("2014-03-26 13:40:02.120034"), at("2014-01-14 15:39:22.574829")]
        assert rows["event_type"].to_list() == ["compute.instance.create.end", "e"]
        assert not [one for one in stretches if one.kind == "reject"]
        assert READER.likeness(text.encode(), "dump.json") > 0.9


def test_messages_taken_from_a_queue() -> None:  # formats.md 4.6
    body = dumps({"oslo.version": "2.0", "oslo.message": dumps(legacy())})
    table = (
        "+--------------------+----------+---------------+---------+---------------+------------------+-------------+\n"
        "|    routing_key     | exchange | message_count | payload | payload_bytes | payload_encoding | redelivered |\n"
        "+--------------------+----------+---------------+---------+---------------+------------------+-------------+\n"
        f"| notifications.info | nova     | 3             | {body} | 900 | string | False |\n"
    )
    message = {
        "payload_bytes": 9, "redelivered": False, "exchange": "nova", "routing_key": "notifications.info",
        "message_count": 1, "properties": [], "payload": body, "payload_encoding": "string",
    }  # fmt: skip
    raw = json.dumps([message])
    for text in (table, raw):
        rows, stretches, _ = read(READER, text)
        assert rows.select("instance", "routing_key").rows() == [(INSTANCE, "notifications.info")]
        assert not [one for one in stretches if one.kind == "reject"]
        assert READER.likeness(text.encode(), "x") > 0.85


def test_the_firehose() -> None:  # formats.md 4.6
    traced = (
        "================================================================================\n"
        "2013-02-15 8:40:18:123: Message published\n\nNode:         rabbit@ctl1\nExchange:     nova\n"
        'Routing keys: [<<"notifications.info">>]\nPayload: \n' + dumps(legacy()) + "\n"
    )
    printed = f"'publish.nova': {dumps(legacy())}\n" * 3
    for text, count in ((traced, 1), (printed, 3)):
        rows, stretches, _ = read(READER, text)
        assert rows["instance"].to_list() == [INSTANCE] * count
        assert not [one for one in stretches if one.kind == "reject"]
        assert READER.likeness(text.encode(), "x") > 0.5


def test_a_payload_alone_is_named_by_its_file() -> None:
    payload = {**legacy()["payload"], "reservation_id": "r", "memory_mb": 512}
    name = "samples/compute-instance-create-end_1.json"
    text = json.dumps(payload, indent=4)
    rows, _, _ = read(READER, text, name)
    assert rows.select("event_type", "instance").rows() == [("compute.instance.create.end", INSTANCE)]
    assert READER.likeness(text.encode(), name) > 0.9
    text = json.dumps(of_nova("InstancePayload", uuid=INSTANCE))
    rows, _, _ = read(READER, text, "common_payloads/InstancePayload.json")
    assert rows.select("event_type", "instance", "versioned").rows() == [(None, INSTANCE, True)]


def test_templates_have_no_instants() -> None:
    values = [
        {"time_map": {"[[[[DT_0]]]]": [0, 0, 0]}, "uuid": 4},
        legacy(timestamp="[[[[DT_0]]]]", _context_timestamp=None),
    ]
    rows, stretches, _ = read(READER, json.dumps(values, indent=4))
    assert rows["ts"].to_list() == [None]
    assert "header of a template" in {one.reason for one in stretches}


@pytest.mark.parametrize(
    "text",
    [
        "",
        "{}",
        "[]",
        "\0" * 100,
        json.dumps([{"ifindex": 1, "ifname": "lo", "addr_info": []}]),
        json.dumps({"name": "x", "version": "1", "dependencies": {"event_type": "1"}}, indent=2),
        json.dumps({"version": 4, "terraform_version": "1", "resources": [{"instances": [{"instance_id": "i"}]}]}),
        json.dumps({"message": dumps(legacy()), "levelname": "INFO", "created": 1.5, "name": "nova", "hostname": "c"})
        + "\n",
        json.dumps({"MESSAGE": dumps(legacy()), "__REALTIME_TIMESTAMP": "1"}) + "\n",
        '{"log": ' + json.dumps(dumps(legacy())) + ', "stream": "stdout", "time": "2014-03-26T13:40:02Z"}\n',
        "2014-03-26 13:40:02.120 1 DEBUG nova.notifier [-] sending event_type: " + dumps({"event_type": "x"}) + "\n",
        json.dumps({"counter_name": "cpu", "resource_metadata": {"event_type": "compute.instance.update"}}),
        json.dumps({"instance_id": "i-1", "region": "us"}),
        "notification: event_type is a word\n",
    ],
)
def test_false_friends(text: str) -> None:
    assert READER.likeness(text.encode(), "x.json") < 0.5


def test_a_value_longer_than_the_head_is_known_by_its_beginning() -> None:
    long = legacy(payload={"instance_id": INSTANCE, "x": "y" * 100_000})
    for text in (dumps([long]), dumps(long) + "\n", dumps(["monitor.info", long]), json.dumps(long, indent=2)):
        assert READER.likeness(text.encode()[:65_536], "x") > 0.8
    other = dumps({"x": "y" * 100_000, "event_type": 1})
    assert READER.likeness(('{"event_type": 5, ' + other[1:]).encode()[:65_536], "x") == 0


def test_a_log_with_a_notification_now_and_then_is_a_log() -> None:
    log = "2014-03-26 13:40:02.120 1 INFO nova.compute [-] up\n" * 9
    assert READER.likeness((log + f"notified: {dumps(legacy())}\n").encode(), "nova.log") < 0.2
    assert READER.likeness((f"2014-03-26 13:40:02 INFO x: {dumps(legacy())}\n" * 9).encode(), "nova.log") < 0.95


def test_hostile_heads_are_left_soon() -> None:
    for text in (
        '"event_type"' * 5000,
        '{"event_type":' * 4000,
        "[" * 65_000 + '"event_type"',
        '{"a": "event_type\\"' * 3000,
    ):
        READER.likeness(text.encode()[:65_536], "x")


# The evidence collection: what MANIFEST.md says of events/


def _of(folder: str) -> dict[str, pl.DataFrame]:
    found = {}
    for file in walk(evidence_root() / "events" / folder):
        if not file.source.endswith(".json"):
            continue
        with open_stream(file) as stream:
            assert READER.likeness(stream.peek(), file.source) > 0.85, file.source
            batches = list(READER.batches(stream, Origin(file.source)))
        assert not [one for batch in batches for one in batch.stretches if one.kind == "reject"], file.source
        rows = [batch.rows[Notification] for batch in batches if batch.rows]
        found[file.source] = Notification.validate(pl.concat(rows))
    return found


def test_every_versioned_sample_of_nova_is_a_notification() -> None:
    found = _of("nova-versioned")
    assert len(found) == 140 + 34
    for name, rows in found.items():
        assert rows.height == 1
        assert rows["versioned"].item()
        if "common_payloads" not in name:
            stem = re.sub(r"[-_](?:with-reason|not_scheduled|compute_down|action)$", "", Path(name).stem)
            assert rows["event_type"].item().replace(".", "-").startswith(stem[:8].replace("_", "_")), name


def test_payloads_of_stacktach_bear_the_event_of_their_name() -> None:
    found = _of("stacktach-schemas-samples")
    assert len(found) == 19
    rows = pl.concat(found.values())
    assert rows["event_type"].null_count() == rows["instance"].null_count() == rows["image"].null_count() == 0
    assert rows.filter(pl.col("event_type") == "compute.instance.instance.create.error")["error"].to_list() == [
        "VDI too big for requested resize up."
    ]


def test_templates_hold_as_many_notifications_as_their_name_says() -> None:
    for name, rows in _of("stacktach-notigen-templates").items():
        number = re.search(r"_(\d+)\.json$", name)
        assert rows.height == (int(number[1]) if number else 1)
        assert rows["request_id"].n_unique() == 1
        assert rows["ts"].null_count() == rows.height


def test_designate_s_whole_notifications() -> None:
    rows = pl.concat(_of("designate-legacy").values())
    assert rows.height == 7
    assert rows["ts"].null_count() == rows["message_id"].null_count() == 0
    assert rows.filter(pl.col("event_type") == "port.create.end")["macs"].to_list() == [["fa:16:3e:09:ef:f2"]]
