"""Section 4 of the reference: notifications, bare, enveloped, versioned, and as StackTach keeps them."""

import json
from typing import Any

import pytest

from forensics.records import Notification
from tests.formats._met import Line, meet, parameters, rows_of

UUID, IMAGE = "4cb5cc5f-7299-478f-b8d9-ec3973dfaaa6", "93b59817-32c0-42f3-84df-9c27587c97cb"
REQ = "req-a7517402-6192-4d0a-85a1-e14051790d5a"
AT = "2014-03-26 13:40:02.120034"
BODY: dict[str, Any] = {
    "_context_request_id": REQ, "_context_project_id": "400504", "message_id": "7f5b0000-0000-4000-8000-000000000001",
    "publisher_id": "compute.host-114795", "event_type": "compute.instance.snapshot.end", "priority": "INFO",
    "timestamp": AT, "payload": {
        "instance_id": UUID, "tenant_id": "400504", "state": "active", "root_gb": 40,
        "image_ref_url": f"http://206.241.156.241:9292/images/{IMAGE}", "created_at": "2014-03-26 07:51:29.896356",
        "deleted_at": "", "image_meta": {"image_type": "base"},
    },
}  # fmt: skip
SEEN = {"ts": AT, "event_type": "compute.instance.snapshot.end", "instance": UUID, "image": IMAGE,
    "project_id": "400504",
        "service": "compute", "host": "host-114795", "request_id": REQ, "priority": "INFO", "versioned": False,
        "root_gb": 40, "state": "active", "created_at": "2014-03-26 07:51:29.896356", "deleted_at": None}  # fmt: skip


def bus(section: str, changes: dict[str, Any] | None = None, payload: dict[str, Any] | str | None = None, /,
        **want: Any) -> Line:  # fmt: skip
    """The notification of the reference with some keys changed, alone in a line."""
    told = payload if isinstance(payload, str) else BODY["payload"] | (payload or {})
    return Line(section, json.dumps(BODY | {"payload": told} | (changes or {})) + "\n", Notification, want)


def wrapped(levels: int) -> str:
    """The notification inside oslo's envelope, once or more often."""
    text = json.dumps(BODY)
    for _ in range(levels):
        text = json.dumps({"oslo.version": "2.0", "oslo.message": text})
    return text + "\n"


def stored(routing: str = "monitor.info", body: dict[str, Any] = BODY) -> str:
    """How StackTach stores it: an array, escaped for MySQL."""
    text = json.dumps([routing, body])
    return text.replace("\\", "\\\\").replace('"', '\\"').replace("'", "\\'")


ROW = f"(40065878,1,'400504','{stored()}','monitor.info','active','','',1395841202.120034,'compute.host-114795',"
ROW += f"'compute.instance.snapshot.end','compute','host-114795','{UUID}','{REQ}')"
INSERT = "INSERT INTO `stacktach_rawdata` VALUES "
NAMES = "`id`,`deployment_id`,`tenant`,`json`,`routing_key`,`state`,`old_state`,`old_task`,`when`,`publisher`,`event`,"
NAMES += "`service`,`host`,`instance`,`request_id`"
TAKEN = SEEN | {"raw_id": 40065878, "routing_key": "monitor.info", "deployment": "1"}
EVENT = [40065879, " ", "2014-01-14 15:39:23.599298", "region-1", "compute.instance.update", "compute-99", "active",
         "active", "image_snapshot"]  # fmt: skip
HEAD = ["#", "?", "When", "Deployment", "Event", "Host", "State", "State'", "Task'"]
VERSIONED = {
    "event_type": "instance.snapshot.end", "publisher_id": "nova-compute:compute", "priority": "INFO",
    "payload": {"nova_object.name": "InstanceActionSnapshotPayload", "nova_object.namespace": "nova",
                "nova_object.version": "1.10", "nova_object.data": {
                    "uuid": "178b0921-8f85-4257-88b6-2e743b5a975c",
                    "snapshot_image_id": "d2aae36f-785c-4518-8016-bc9534d9fc7f"}},
}  # fmt: skip
NESTED = {
    "event_type": "instance.create.error", "publisher_id": "nova-compute:c1.example.org", "priority": "ERROR",
    "timestamp": "2018-10-01 10:00:00.000001", "payload": {
        "nova_object.name": "InstanceCreatePayload", "nova_object.namespace": "nova", "nova_object.version": "1.4",
        "nova_object.data": {
            "uuid": UUID, "tenant_id": "t", "user_id": "u", "host": "c1", "image_uuid": IMAGE, "display_name": "näme",
            "request_id": REQ, "state": "building", "launched_at": "2018-10-01T10:00:00Z",
            "flavor": {"nova_object.name": "FlavorPayload", "nova_object.namespace": "nova",
            "nova_object.version": "1.3",
                       "nova_object.data": {"name": "m1.small", "root_gb": 20}},
            "fault": {"nova_object.name": "ExceptionPayload", "nova_object.namespace": "nova",
                      "nova_object.version": "1.1", "nova_object.data": {"exception": "X",
                                                                         "exception_message": "no host"}},
            "ip_addresses": [{"nova_object.name": "IpPayload", "nova_object.namespace": "nova",
                              "nova_object.version": "1.0", "nova_object.data": {
                                  "address": "10.0.0.5", "mac": "fa:16:3e:24:e7:22", "version": 4}}]}},
}  # fmt: skip

LINES = [
    # 4.1 legacy notification
    bus("4.1", **SEEN),
    bus("4.1", {"timestamp": "2014-03-26 13:40:02"}, ts="2014-03-26 13:40:02"),
    bus("4.1", {"timestamp": "2014-03-26T13:40:02.120034"}, ts=AT),
    bus("4.1", {"publisher_id": "compute.c1.example.org"}, service="compute", host="c1.example.org"),
    bus("4.1", {"publisher_id": "image.glance1", "event_type": "image.upload"}, service="image", host="glance1"),
    bus("4.1", {"publisher_id": "glance1", "event_type": "image.upload"}, {"id": IMAGE}, host="glance1", service=None),
    bus("4.1", {"event_type": "image.upload", "publisher_id": "image.g"}, "Image storage media is full: x",
        event_type="image.upload", payload='"Image storage media is full: x"'),
    bus("4.1", {"event_type": "terminate_instance", "priority": "ERROR"}, event_type="terminate_instance",
        priority="ERROR"),
    bus("4.1", {"_unique_id": "a" * 32, "event_type": "compute.instance.exists.verified.old"},
        event_type="compute.instance.exists.verified.old"),
    *(Line("4.1", wrapped(levels), Notification, SEEN) for levels in (1, 2)),
    # 4.2 payload fields
    bus("4.2", None, {"host": "c1", "instance_type": "m1.small", "user_id": "u", "display_name": "vm"},
        compute_host="c1",
        flavor="m1.small", user_id="u", display_name="vm"),
    bus("4.2", {"event_type": "compute.instance.update"}, {"old_state": "building", "old_task_state": "spawning",
        "new_task_state": None, "state": "active"}, old_state="building", old_task_state="spawning", state="active"),
    *(bus("4.2", None, {"image_ref_url": ref}, image=image) for ref, image in (
        (f"http://a:9292/images/{IMAGE}", IMAGE), (IMAGE, IMAGE), (None, None), ("", None))),
    bus("4.2", None, {"image_meta": {"base_image_ref": IMAGE, "image_type": "snapshot", "instance_uuid": UUID}},
        base_image=IMAGE, source_instance=UUID),
    *(bus("4.2", None, {"launched_at": text}, launched_at=at) for text, at in (
        ("", None), ("2014-03-26 07:51:29", "2014-03-26 07:51:29"), ("2014-03-26T07:51:29Z", "2014-03-26 07:51:29"),
        ("2014-03-26 07:51:29.896356", "2014-03-26 07:51:29.896356"),
        ("2014-03-26T07:51:29+00:00", "2014-03-26 07:51:29"))),
    bus("4.2", None, {"fixed_ips": [{"address": "10.0.0.5", "version": 4, "vif_mac": "fa:16:3e:24:e7:22"}]},
        ips=["10.0.0.5"], macs=["fa:16:3e:24:e7:22"]),
    bus("4.2", {"event_type": "compute.instance.create.error"}, {"message": "no valid host", "code": 500},
        error="no valid host"),
    # 4.3 versioned, nested
    Line("4.3", json.dumps(NESTED) + "\n", Notification, {
        "ts": "2018-10-01 10:00:00.000001", "instance": UUID, "image": IMAGE, "root_gb": 20, "flavor": "m1.small",
        "service": "nova-compute", "host": "c1.example.org", "macs": ["fa:16:3e:24:e7:22"], "ips": ["10.0.0.5"],
        "versioned": True, "error": "no host", "launched_at": "2018-10-01 10:00:00", "display_name": "näme",
        "request_id": REQ, "compute_host": "c1", "project_id": "t", "user_id": "u"}),
    # 4.4, 4.6 the tables of StackTach in each form of a dump
    Line("4.4", f"{INSERT.replace('VALUES', f'({NAMES}) VALUES')}{ROW};\n", Notification, TAKEN, "dump.sql"),
    Line("4.6", "-- MySQL dump 10.13\n/*!40101 SET NAMES utf8 */;\nCREATE TABLE `stacktach_rawdata` (\n"
         + ",\n".join(f"  {name} {'decimal(20,6)' if 'when' in name else 'longtext'}" for name in NAMES.split(","))
         + f"\n);\n{INSERT}{ROW},{ROW};\n", Notification, [TAKEN, TAKEN], "dump.sql"),
    # 4.5 web and REST interface; every endpoint in tests/loaders/documents/test_stacky.py
    Line("4.5", json.dumps([HEAD, EVENT]), Notification, {
        "ts": "2014-01-14 15:39:23.599298", "event_type": "compute.instance.update", "raw_id": 40065879,
        "deployment": "region-1", "state": "active", "host": "compute-99"}),
    Line("4.5", json.dumps([["#", "?", "When", "Deployment", "Event", "Host", "Status"],
         [7, "E", "2014-01-14 15:39:23", "region-1", "image.upload", "g1", "error"]]), Notification, {
             "ts": "2014-01-14 15:39:23", "event_type": "image.upload", "raw_id": 7, "state": "error"}),
    *(Line("4.5", json.dumps(rows), Notification, []) for rows in (
        [["#", "Name"], [1, "r1"]], [["Event Name"], ["compute.instance.update"]],
        [["?", "Event", "Time (secs)"], [".", "compute.instance.snapshot", "0d 00:14:11.71"]],
        [["Event", "N", "Min", "Max", "Avg"], ["compute.instance.create", 1, "0d", "0d", "0d"]],
        [["Error", "Message"], ["DoesNotExist", "x"]])),
    # 4.6 JSON: a line each, of the notification or of what StackTach stores; Django's dumpdata; a tracer
    Line("4.6", json.dumps(["monitor.info", BODY]) + "\n", Notification, SEEN | {"routing_key": "monitor.info"}),
    Line("4.6", json.dumps([{"pk": 7, "model": "stacktach.rawdata", "fields": {
        "json": json.dumps(["monitor.info", BODY]), "when": "1395841202.120034", "deployment": 1}}]), Notification,
         SEEN | {"raw_id": 7}),
    # 4.7 ceilometer and panko; winchester and shoebox in tests/loaders/documents/test_shoebox.py
    *(Line("4.7", json.dumps([{"message_id": "m", "event_type": "compute.instance.create.end", "generated":
         "2014-03-26T13:40:02.120034", "traits": traits, "raw": {}}]), Notification, {"instance": UUID, "ts": AT})
      for traits in ([["instance_id", 1, UUID]], [{"name": "instance_id", "type": "string", "value": UUID}])),
    # 4.8 example records
    Line("4.8", json.dumps(["monitor.info", BODY]), Notification, SEEN),
    Line("4.8", json.dumps([HEAD, EVENT]), Notification, {"old_state": "active",
        "event_type": "compute.instance.update"}),
    # columns that no statement names are those of 2012 where there are as many
    Line("4.8", INSERT + ROW + ";\n", Notification, TAKEN, "stacktach.sql"),
    Line("4.8", json.dumps(VERSIONED) + "\n", Notification, {
        "instance": "178b0921-8f85-4257-88b6-2e743b5a975c", "image": None,
        "versioned": True, "host": "compute", "service": "nova-compute", "event_type": "instance.snapshot.end"}),
    # 4.10 pitfalls: secrets, both kinds; test_notification_rows.py::test_no_secret_is_kept
    bus("4.10", {"_context_auth_token": "0123456789abcdef"}, {"admin_password": "geheim"},
        event_type=BODY["event_type"]),
    bus("4.10", {"publisher_id": "api.ctl1", "event_type": "compute.instance.delete.start"}, {"host": None},
        service="api", compute_host=None),
    Line("4.10", json.dumps(BODY) + "\n" + json.dumps(VERSIONED) + "\n", Notification,
         [{"versioned": False}, {"versioned": True}]),
    # appendix C8 and C9
    bus("4.C8", None, {"display_name": "Ünïcode ☃"}, display_name="Ünïcode ☃"),
    Line("4.C9", INSERT + ROW.replace("'active',''", "NULL,''") + ";\n", Notification, {"instance": UUID}, "dump.sql"),
]  # fmt: skip


@pytest.mark.parametrize("line", parameters(LINES))
def test_section_4(line: Line) -> None:
    meet(line)


def test_section_4_8_the_image_of_a_snapshot_stands_in_the_payload() -> None:
    (told,) = rows_of(Line("4.8", json.dumps(VERSIONED) + "\n", Notification, {}))["payload"]
    assert "d2aae36f-785c-4518-8016-bc9534d9fc7f" in told


def test_section_4_10_no_secret_is_kept() -> None:
    told = next(line for line in LINES if line.section == "4.10")
    assert "geheim" not in str(rows_of(told).rows())
    assert "0123456789abcdef" not in str(rows_of(told).rows())
