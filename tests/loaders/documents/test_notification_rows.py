"""What one notification tells, whatever envelope it is in (formats.md 4.1 to 4.3, 4.7, 4.10, appendix C item 8)."""

import json

import polars as pl
import pytest

from forensics.loaders.documents._notification import READABLE, notification_rows
from tests.loaders.documents._notifications import (
    IMAGE,
    INSTANCE,
    REQUEST,
    at,
    dumps,
    legacy,
    of_nova,
    versioned,
)


def one(value: object, **columns: object) -> dict[str, object]:
    text = value if isinstance(value, str) or value is None else dumps(value)
    places = pl.DataFrame({"source": "x", "position": 1, "offset_bytes": 0, "length_bytes": 9, **columns})
    return notification_rows(pl.Series([text], dtype=pl.String), places).row(0, named=True)


def test_a_legacy_notification_in_full() -> None:  # formats.md 4.1, 4.2
    row = one(legacy())
    assert row["ts"] == at("2014-03-26 13:40:02.120034")
    assert (row["host"], row["service"], row["publisher_id"]) == ("cc12", "compute", "compute.cc12")
    assert (row["instance"], row["image"], row["request_id"]) == (INSTANCE, IMAGE, REQUEST)
    assert (row["user_id"], row["project_id"], row["root_gb"], row["state"]) == ("782857", "400504", 40, "active")
    assert (row["task_state"], row["deleted_at"], row["compute_host"]) == (None, None, "cc12")
    assert (row["created_at"], row["launched_at"]) == (at("2014-03-26 07:51:29.896356"), at("2014-03-26 07:52:00"))
    assert row["versioned"] is False
    assert row["priority"] == "INFO"
    assert json.loads(str(row["payload"])) == legacy()["payload"]
    assert "t0ps3cret" not in str(row)


@pytest.mark.parametrize(
    ("stamp", "instant"),
    [
        ("2012-12-19 19:10:59", "2012-12-19 19:10:59"),  # no fraction where the microsecond is 0
        ("2012-12-19T19:10:59.000001", "2012-12-19 19:10:59.000001"),
        ("2012-12-19T19:10:59Z", "2012-12-19 19:10:59"),
        ("2012-12-19 19:10:59+00:00", "2012-12-19 19:10:59"),
        ("2012-12-19T12:10:59-07:00", "2012-12-19 19:10:59"),
        (1355944259, "2012-12-19 19:10:59"),
        (1355944259.25, "2012-12-19 19:10:59.25"),
    ],
)
def test_stamps_are_of_utc_whatever_their_form(stamp: object, instant: str) -> None:  # formats.md 4.1, 4.2
    assert one(legacy(timestamp=stamp))["ts"] == at(instant)


@pytest.mark.parametrize("stamp", ["", None, "[[[[DT_4]]]]", "2012-02-30 00:00:00", "yesterday", {"a": 1}])
def test_what_is_no_stamp_is_null(stamp: object) -> None:
    assert one(legacy(timestamp=stamp))["ts"] is None


def test_nanoseconds_are_kept_whole() -> None:
    places = pl.DataFrame({"source": "x", "position": 1, "offset_bytes": 0, "length_bytes": 9})
    rows = notification_rows(pl.Series([dumps(legacy(timestamp="2012-12-19T19:10:59.123456789"))]), places)
    assert rows["ts"].dt.epoch("ns").item() == 1355944259_123456789


@pytest.mark.parametrize(
    ("publisher", "event", "service", "host"),
    [
        ("compute.cc12", "compute.instance.update", "compute", "cc12"),
        ("compute.cc12.cloud.example.org", "compute.instance.update", "compute", "cc12.cloud.example.org"),
        ("nova-compute:cc12.example.org", "instance.update", "nova-compute", "cc12.example.org"),
        ("ctl1", "image.delete", None, "ctl1"),  # glance of Folsom
        ("ctl1.example.org", "image.delete", None, "ctl1.example.org"),
        ("image.ctl1.example.org", "image.delete", "image", "ctl1.example.org"),
        ("volume.vol1@lvm#pool", "volume.attach.end", "volume", "vol1"),
        ("compute.cell!child@cc12", "compute.instance.update", "compute", "cc12"),
    ],
)
def test_the_parts_of_a_publisher(publisher: str, event: str, service: str | None, host: str) -> None:  # formats.md 4.1
    row = one(legacy(event, publisher_id=publisher))
    assert (row["service"], row["host"]) == (service, host)


def test_every_envelope_is_opened() -> None:  # formats.md 4.1: JSON in JSON, three levels
    sealed = {"oslo.version": "2.0", "oslo.message": dumps(legacy())}
    for wrapped in (
        legacy(),
        ["monitor.info", legacy()],
        sealed,
        ["monitor.info", sealed],
        {"oslo.version": "2.0", "oslo.message": dumps(["monitor.info", legacy()])},
        {"oslo.version": "2.0", "oslo.message": dumps(sealed)},
        dumps(dumps(["monitor.info", sealed])),
    ):
        row = one(wrapped)
        assert row["instance"] == INSTANCE, wrapped
        assert row["message_id"] == legacy()["message_id"]
        assert row["routing_key"] in (None, "monitor.info")
        assert row[READABLE]
    assert one(["monitor.error", sealed])["routing_key"] == "monitor.error"


def test_a_versioned_notification_in_full() -> None:  # formats.md 4.3
    row = one(versioned(task_state="spawning", old_display_name="x"))
    assert (row["host"], row["service"], row["versioned"]) == ("cc12.example.org", "nova-compute", True)
    assert (row["instance"], row["image"], row["request_id"]) == (INSTANCE, IMAGE, REQUEST)
    assert (row["flavor"], row["root_gb"], row["task_state"]) == ("m1.small", 20, "spawning")
    assert (row["macs"], row["ips"]) == (["fa:16:3e:4c:2c:30"], ["fd00::3"])
    assert row["launched_at"] == at("2012-10-29 13:42:11")
    fault = of_nova("ExceptionPayload", exception="FlavorDiskTooSmall", exception_message="too small")
    assert one(versioned("instance.create.error", fault=fault))["error"] == "too small"
    update = of_nova("InstanceStateUpdatePayload", old_state="building", state="active", old_task_state="spawning")
    row = one(versioned("instance.update", state_update=update))
    assert (row["old_state"], row["state"], row["old_task_state"]) == ("building", "active", "spawning")


def test_the_uuid_of_a_group_or_a_service_is_no_instance() -> None:
    group = {**versioned("server_group.create"), "payload": of_nova("ServerGroupPayload", uuid="1", name="g")}
    assert one(group)["instance"] is None
    assert one({**group, "payload": of_nova("ComputeTaskPayload", instance_uuid=INSTANCE)})["instance"] == INSTANCE


def test_samples_whose_payload_is_elsewhere_are_rows_all_the_same() -> None:
    row = one({**versioned(), "payload": {"$ref": "common_payloads/InstanceCreatePayload.json#"}})
    assert (row["event_type"], row["instance"], row["versioned"]) == ("instance.create.end", None, True)


def test_an_update_tells_the_states_before_and_after() -> None:  # formats.md 4.2
    changed = {"old_state": "building", "old_task_state": "spawning", "new_task_state": None, "state": "active"}
    row = one(legacy("compute.instance.update", payload={**legacy()["payload"], **changed}))
    assert (row["old_state"], row["old_task_state"], row["task_state"]) == ("building", "spawning", None)


def test_a_snapshot_s_origin_and_addresses() -> None:  # formats.md 4.2
    fixed = [
        {"address": "10.0.0.5", "vif_mac": "FA-16-3E-24-E7-22", "floating_ips": [{"address": "192.0.2.7"}]},
        {"address": "2001:DB8:0:0::1", "vif_mac": "fa:16:3e:24:e7:22", "floating_ips": []},
        {"address": "[[[[V4_0]]]]", "vif_mac": "?"},
    ]
    meta = {"base_image_ref": "b" * 36, "image_type": "snapshot", "instance_uuid": "i" * 36}
    row = one(legacy(payload={**legacy()["payload"], "fixed_ips": fixed, "image_meta": meta}))
    assert row["ips"] == ["10.0.0.5", "2001:db8::1", "192.0.2.7"]  # fixed before floating
    assert row["macs"] == ["fa:16:3e:24:e7:22"]
    assert (row["base_image"], row["source_instance"]) == ("b" * 36, "i" * 36)


@pytest.mark.parametrize("ref", [IMAGE, f"http://h/images/{IMAGE}", f"http://h:9292/v2/images/{IMAGE}/"])
def test_the_image_is_the_last_element_of_its_reference(ref: str) -> None:
    assert one(legacy(payload={"instance_id": INSTANCE, "image_ref_url": ref}))["image"] == IMAGE


def test_glance_tells_images_and_of_whom_they_are_snapshots() -> None:  # formats.md 4.1
    properties = {"instance_uuid": INSTANCE, "base_image_ref": "b" * 36, "user_id": "u"}
    told = {"id": IMAGE, "name": "snap", "status": "active", "owner": "p", "properties": properties}
    row = one(legacy("image.update", publisher_id="image.ctl1", payload=told))
    assert (row["image"], row["instance"], row["source_instance"]) == (IMAGE, None, INSTANCE)
    assert (row["state"], row["display_name"], row["project_id"], row["user_id"]) == ("active", "snap", "p", "u")
    row = one(legacy("image.delete", publisher_id="ctl1", payload=IMAGE))  # Folsom: the payload is its id
    assert (row["image"], row["payload"], row["error"]) == (IMAGE, f'"{IMAGE}"', None)
    row = one(legacy("image.upload", payload='Error in store "x": quota', priority="INFO"))
    assert (row["error"], json.loads(str(row["payload"]))) == ('Error in store "x": quota',) * 2


def test_the_scheduler_and_methods_that_failed_tell_the_instance() -> None:  # formats.md 4.1
    properties = {"uuid": INSTANCE, "vm_state": "building", "image_ref": IMAGE, "user_data": "c2VjcmV0"}
    spec = {"instance_properties": properties, "instance_type": {"name": "m1.tiny", "root_gb": 5}}
    for payload in (
        {"request_spec": {**spec, "instance_uuids": [INSTANCE]}},
        {"request_spec": {"instance_properties": {"image_ref": IMAGE}, "instance_uuids": [INSTANCE]}},
        {"args": {"instance": properties}, "exception": {"kwargs": {"code": 404}}},
        {"method": "run_instance", "instance_properties": properties, "reason": {"message": "No valid host"}},
    ):
        row = one(legacy("scheduler.run_instance", priority="ERROR", payload=payload))
        assert (row["instance"], row["image"]) == (INSTANCE, IMAGE)
        assert "c2VjcmV0" not in str(row)
    assert row["error"] == "No valid host"
    row = one(
        legacy("scheduler.run_instance.scheduled", payload={"weighted_host": {"host": "cc14"}, "request_spec": spec})
    )
    assert (row["compute_host"], row["flavor"], row["root_gb"]) == ("cc14", "m1.tiny", 5)


def test_errors_are_told_and_success_is_none() -> None:
    payload = {"instance_id": INSTANCE, "message": "Success"}
    assert one(legacy(payload=payload))["error"] is None
    assert one(legacy("terminate_instance", priority="ERROR", payload={"message": "gone"}))["error"] == "gone"
    raised = {"exception": "Build of instance failed"}
    assert one(legacy("compute.instance.create.error", payload=raised))["error"] == "Build of instance failed"


def test_a_secret_in_an_error_is_not_kept() -> None:
    for payload in ({"message": "bad password=hunter2"}, {"exception": {"message": "amqp://nova:hunter2@ctl1 failed"}}):
        row = one(legacy("compute.instance.create.error", priority="ERROR", payload=payload))
        assert "•••" in str(row["error"])
        assert "hunter2" not in str(row)


def test_neutron_s_ports_and_floating_addresses() -> None:
    port = {"device_id": INSTANCE, "device_owner": "compute:nova", "mac_address": "FA:16:3E:09:EF:F2",
            "fixed_ips": [{"ip_address": "172.16.59.10"}], "tenant_id": "p", "binding:host_id": "cc12"}  # fmt: skip
    row = one(legacy("port.create.end", publisher_id="network.svc02.os.lan", payload={"port": port}))
    assert (row["instance"], row["macs"], row["ips"]) == (INSTANCE, ["fa:16:3e:09:ef:f2"], ["172.16.59.10"])
    assert (row["compute_host"], row["host"], row["project_id"]) == ("cc12", "svc02.os.lan", "p")
    dhcp = {**port, "device_owner": "network:dhcp", "device_id": "dhcp05f4"}
    assert one(legacy("port.create.end", payload={"port": dhcp}))["instance"] is None
    floating = {"floatingip": {"fixed_ip_address": "172.16.59.10", "floating_ip_address": "192.0.2.201"}}
    assert one(legacy("floatingip.update.end", payload=floating))["ips"] == ["172.16.59.10", "192.0.2.201"]


@pytest.mark.parametrize("shape", ["list", "dict"])
def test_events_of_ceilometer_and_panko(shape: str) -> None:  # formats.md 4.7
    told = {"instance_id": INSTANCE, "host": "cc12", "service": "compute", "request_id": REQUEST, "state": "active",
            "launched_at": "2014-03-26T07:52:00"}  # fmt: skip
    traits = [[k, 1, v] for k, v in told.items()] if shape == "list" else [
        {"name": k, "type": "string", "value": v} for k, v in told.items()
    ]  # fmt: skip
    event = {"message_id": "m", "event_type": "compute.instance.create.end", "generated": "2014-03-26T13:40:02.5",
             "traits": traits, "raw": {}}  # fmt: skip
    row = one(event)
    assert (row["instance"], row["host"], row["request_id"], row["state"]) == (INSTANCE, "cc12", REQUEST, "active")
    assert (row["ts"], row["launched_at"]) == (at("2014-03-26 13:40:02.5"), at("2014-03-26 07:52:00"))
    row = one({**event, "traits": [], "raw": legacy(timestamp=None)})
    assert (row["image"], row["ts"]) == (IMAGE, at("2014-03-26 13:40:02.5"))


def test_as_oslo_messaging_hands_it_to_those_who_listen() -> None:
    body = {
        "ctxt": {"request_id": REQUEST, "user_id": "u"},
        "metadata": {"message_id": "m", "timestamp": "2014-01-01 00:00:00"},
        "event_type": "image.create",
        "publisher_id": "image.ctl1",
        "payload": {"id": IMAGE},
    }
    row = one(body)
    assert (row["message_id"], row["request_id"], row["user_id"], row["ts"]) == ("m", REQUEST, "u", at("2014-01-01"))


SECRETS = {
    "admin_pass": "hunter2", "adminPass": "hunter2", "password": "hunter2", "auth_token": "hunter2",
    "user_data": "aHVudGVyMg== hunter2", "injected_files": [["/etc/x", "hunter2"]], "personality": [{"c": "hunter2"}],
    "metadata": {"db-password": "hunter2", "note": "secret_key=hunter2"}, "a": {"b": [{"private_key": "hunter2"}]},
    "connection": "mysql://nova:hunter2@db/nova", "inner": '{"admin_password": "hunter2"}',
    "p\u0061ssword2": "hunter2", "connection_info": {"data": {"auth_password": "hunter2"}}, "token": {"id": "hunter2"},
}  # fmt: skip


@pytest.mark.parametrize("key", SECRETS)
def test_no_secret_is_kept(key: str) -> None:  # formats.md 4.10
    row = one(legacy(payload={"instance_id": INSTANCE, "key_name": "my-key", key: SECRETS[key]}))
    assert "hunter2" not in str(row)
    assert row["instance"] == INSTANCE
    assert json.loads(str(row["payload"]))["key_name"] == "my-key"
    escaped = dumps(legacy(payload={key: SECRETS[key]})).replace("p", "\\u0070")
    assert "hunter2" not in str(one(escaped))


def test_names_of_all_peoples_and_odd_json() -> None:  # appendix C item 8
    row = one(legacy(payload={**legacy()["payload"], "display_name": "Müller 🜁 – 名"}))
    assert row["display_name"] == "Müller 🜁 – 名"
    assert "名" in str(row["payload"])
    text = dumps(legacy()).replace('"root_gb": 40', '"root_gb": NaN, "big": 123456789012345678901234567890')
    row = one(text)
    assert (row["instance"], row["root_gb"]) == (INSTANCE, None)
    assert one(dumps(legacy()).replace("active", "ac\ud83dtive".encode("utf-16", "surrogatepass").hex()))["state"]
    assert one(dumps(legacy()).replace("active", r"\ud800"))["instance"] == INSTANCE
    assert one(dumps(legacy()).replace(", ", ",\r\n\t"))["instance"] == INSTANCE
    deep = "[" * 100_000 + "]" * 100_000
    row = one(dumps(legacy()).replace('"400504"', deep))
    assert row[READABLE] is False
    assert one(dumps(legacy()).replace('"400504"', "[" * 200 + "]" * 200))["instance"] == INSTANCE


def test_a_text_that_is_cut_keeps_what_its_table_tells() -> None:
    beside = {
        "instance": "i", "when_ns": 1389713962_574829000, "event_type": "e.start", "publisher_id": "compute.c9",
        "routing_key": "monitor.info", "raw_id": 7, "deployment": "d", "state": "active", "old_task_state": "x",
    }  # fmt: skip
    for text in ('["monitor.info", {"event_ty', None, "", "null", "[]", "{}", "5"):
        row = one(text, **beside)
        assert row[READABLE] is False
        assert (row["instance"], row["event_type"], row["host"], row["raw_id"]) == ("i", "e.start", "c9", 7)
        assert row["ts"] == at("2014-01-14 15:39:22.574829")
    row = one(legacy(), **beside)
    assert (row["instance"], row["raw_id"], row["deployment"]) == (INSTANCE, 7, "d")


def test_many_rows_keep_their_order_and_bad_ones_their_place() -> None:
    texts = [dumps(legacy(number=n) if n % 3 else versioned()) for n in range(700)]
    texts[300] = texts[300][:-5]
    texts[301] = "junk"
    count = len(texts)
    places = pl.DataFrame({"source": "x", "position": range(1, count + 1), "offset_bytes": 0, "length_bytes": 1})
    rows = notification_rows(pl.Series(texts), places)
    assert rows["position"].to_list() == list(range(1, count + 1))
    assert (~rows[READABLE]).arg_true().to_list() == [300, 301]
    assert rows["versioned"].to_list() == [n % 3 == 0 and n != 300 for n in range(count)]
    assert notification_rows(pl.Series([], dtype=pl.String), places.head(0)).height == 0
