"""Real public logs, against the counts and the ground truth that come with them."""

import csv
import gzip
import json
import re
from pathlib import Path

import polars as pl
import pytest

from forensics.loaders.lines._reader import likeness
from tests._evidence import evidence_root
from tests.loaders.lines._reading import read, whole

NOT_LOGS = (".csv", ".yml", ".json")


def log(name: str) -> bytes:
    path = evidence_root() / "logs" / name
    return gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes()


def test_every_log_is_accounted_for_and_recognised() -> None:
    root = evidence_root() / "logs"
    for path in sorted(path for path in root.rglob("*") if path.is_file()):
        name = path.relative_to(root).as_posix()
        data = log(name)
        if path.name.endswith(NOT_LOGS):
            assert likeness(data[:65536]) < 0.1, name
            continue
        frame, found = whole(data)
        stretches = [stretch for batch in found for stretch in batch.stretches]
        lines = data.count(b"\n") + (not data.endswith(b"\n") and len(data) > 0)
        apart = sum(data[s.offset_bytes : s.offset_bytes + s.length_bytes].count(b"\n") for s in stretches)
        apart += any(s.offset_bytes + s.length_bytes == len(data) and not data.endswith(b"\n") for s in stretches)
        assert int(frame["n_lines"].sum()) + apart == lines, name
        if frame.height > 2 and "show_logging" not in name:
            assert likeness(data[:65536]) > 0.3, name


# Loghub's Content leaves out blanks at a line's end, and keeps the instance prefix that has its own column here.
def test_loghub_openstack_equals_its_ground_truth() -> None:
    frame = read(log("openstack/loghub/OpenStack_2k.log"))
    truth = list(csv.DictReader(log("openstack/loghub/OpenStack_2k.log_structured.csv").decode().splitlines()))
    assert frame.height == len(truth) == 2000
    assert frame["severity"].value_counts().sort("severity").rows() == [("INFO", 1969), ("WARNING", 31)]
    for row, want in zip(frame.iter_rows(named=True), truth, strict=True):
        assert row["position"] == int(want["LineId"])
        assert row["ts"].strftime("%Y-%m-%d %H:%M:%S.%f")[:-3] == f"{want['Date']} {want['Time']}"
        assert (str(row["pid"]), row["severity"], row["logger"]) == (want["Pid"], want["Level"], want["Component"])
        context = want["ADDR"].strip("[]").split()
        ids = [None if part == "-" else part for part in context[:3]]
        assert [row["request_id"], row["user_id"], row["project_id"]] == [*ids, None, None, None][:3]
        said = f"[instance: {row['instance']}] {row['message']}" if row["instance"] else row["message"]
        assert said.strip() == want["Content"].strip()
    assert frame["ts"].min().strftime("%H:%M:%S.%f") == "00:00:00.008000"
    assert frame["ts"].max().strftime("%H:%M:%S.%f") == "00:14:47.687000"


# What Loghub calls the component where we differ: (Loghub's, ours, why)
LINUX_DIFFERENCES = {
    ("syslogd 1.4.1", "syslogd"): "the version is no part of the program's name",
    ("-- root", None): "login writes ` -- root[2421]: …`; a tag has no blank (RFC 3164 section 4.1.3)",
}


def test_loghub_linux_equals_its_ground_truth() -> None:
    frame = read(log("syslog/loghub/Linux_2k.log"))
    truth = list(csv.DictReader(log("syslog/loghub/Linux_2k.log_structured.csv").decode().splitlines()))
    assert frame.height == len(truth) == 2000
    differences: dict[tuple[str, str | None], int] = {}
    for row, want in zip(frame.iter_rows(named=True), truth, strict=True):
        assert row["ts"].strftime("%b %-d %H:%M:%S") == f"{want['Month']} {want['Date']} {want['Time']}"
        assert row["host"] == want["Level"]
        pair = (want["Component"], row["program"])
        if pair[0] != pair[1]:
            differences[pair] = differences.get(pair, 0) + 1
            continue
        assert str(row["pid"] or "") == want["PID"].removesuffix(".0")
        assert row["message"].strip() == want["Content"].strip()
    assert differences == {("syslogd 1.4.1", "syslogd"): 7, ("-- root", None): 1}
    assert differences.keys() == LINUX_DIFFERENCES.keys()


def test_a_gate_job_of_havana() -> None:
    data = log("openstack/os-loganalyze/screen-n-api.txt.gz")
    frame, found = whole(data)
    assert data.count(b"\n") == 50745
    levels = dict(frame["severity"].value_counts().rows())
    assert levels == {"DEBUG": 11886, "INFO": 2721, "AUDIT": 271, "WARNING": 6, "ERROR": 5}
    access = frame.filter(pl.col("message").str.contains(r"status: \d+ len: \d+ time: [\d.]+$"))
    assert dict(access["logger"].value_counts().rows()) == {
        "nova.ec2.wsgi.server": 762,
        "nova.osapi_compute.wsgi.server": 396,
        "nova.metadata.wsgi.server": 36,
    }
    assert access["n_lines"].max() == 2, "the blank line that eventlet adds belongs to the record"
    assert access.filter(pl.col("pid").is_null()).height > 100
    assert access.filter(pl.col("pid").is_not_null()).height == 37
    assert str(frame["ts"].min())[:19] == "2013-09-27 18:22:08"
    assert str(frame["ts"].max())[:19] == "2013-09-27 18:47:10"
    rejects = [s for batch in found for s in batch.stretches]
    assert {s.kind for s in rejects} == {"reject"}
    assert rejects[0].position == 1
    assert data[: rejects[0].length_bytes].startswith(b"+ ln -sf")


def test_an_api_log_of_juno() -> None:
    frame = read(log("openstack/live-migration/hp-ms-01-c29/nova/nova-api.log"))
    # the manifest counts words: 59 TRACE lines are part of the records that they belong to
    assert dict(frame["severity"].value_counts().rows()) == {
        "DEBUG": 2054,
        "INFO": 118,
        "WARNING": 8,
        "AUDIT": 7,
        "ERROR": 1,
    }
    error = frame.filter(severity="ERROR").row(0, named=True)
    assert error["n_lines"] >= 60
    assert error["message"].count("\n") >= 59
    assert "TRACE" not in error["message"]
    access = frame["message"].str.extract(r"status: (\d+) len: \d+ time: [\d.]+$", 1).drop_nulls()
    assert dict(access.value_counts().rows()) == {"200": 8, "401": 4, "202": 2, "500": 1}


# The manifest also has ANSIBLE29 with 2 records; the file has no such line, and the others add up to its 4364.
MERGED = {
    "mergedlogs-packets.log": {
        "QVO30": 805,
        "TAP30": 781,
        "FDB29": 769,
        "FDB30": 650,
        "QVO29": 399,
        "TAP29": 365,
        "PING29": 288,
        "PING30": 287,
        "ARP30": 7,
        "VMLIFE29": 5,
        "VMLIFE30": 4,
        "ARP29": 4,
    }
}


@pytest.mark.parametrize(("name", "records"), MERGED.items())
def test_a_merged_timeline_has_the_records_of_its_sources(name: str, records: dict[str, int]) -> None:
    frame = read(log(f"openstack/live-migration/{name}"))
    assert dict(frame["program"].value_counts().rows()) == records
    assert frame["ts"].is_sorted()


def _texts(frame: pl.DataFrame) -> list[str]:
    return [re.sub(r"\s+", " ", message) for message in frame["message"].to_list()]


@pytest.mark.parametrize(
    ("inputs", "output"),
    [
        (("01-simple/in/metadata-agent.log", "01-simple/in/l3-agent.log"), "01-simple/out/alias.log"),
        (
            ("02-var-log-messages/in/var_log_messages", "02-var-log-messages/in/nova-api.log"),
            "02-var-log-messages/out/mixed.log",
        ),
        (
            (
                "02-var-log-messages/in/var_log_messages",
                "02-var-log-messages/in/var_log_messages_ms",
                "02-var-log-messages/in/nova-api.log",
            ),
            "02-var-log-messages/out/mixed_ms.log",
        ),
    ],
)
def test_records_sorted_by_time_are_in_the_order_of_os_log_merger(inputs: tuple[str, ...], output: str) -> None:
    base = "openstack/os-log-merger-functional/"
    frames = [read(log(base + name), source=name, year=2018 if "var_log" in name else None) for name in inputs]
    ours = pl.concat(frames).sort("ts", maintain_order=True)
    theirs = read(log(base + output), year=2018)
    assert _texts(ours) == _texts(theirs)


def test_a_syslog_with_dnsmasq() -> None:
    frame = read(log("syslog/os-loganalyze/syslog.txt"))
    programs = dict(frame["program"].value_counts().rows())
    assert frame.height == 25939
    # 1426 lines name dnsmasq, those of dnsmasq-dhcp among them or not: count both as the manifest does
    assert programs["dnsmasq-dhcp"] == 909
    said = frame.filter(pl.col("program") == "dnsmasq-dhcp")["message"].str.extract(r"^(DHCP[A-Z]+)\(br100\)", 1)
    assert dict(said.drop_nulls().value_counts().rows()) == {
        "DHCPRELEASE": 207,
        "DHCPDISCOVER": 62,
        "DHCPOFFER": 61,
        "DHCPREQUEST": 61,
        "DHCPACK": 61,
    }


# plaso: 16 records and one warning; its parser and this one agree on which line is none.
def test_plaso_syslog() -> None:
    frame, found = whole(log("syslog/plaso/syslog"))
    assert frame.height == 16
    assert frame.select("program", "pid", "host").row(0) == ("client", 30840, "myhostname.myhost.com")
    assert frame["message"][0].endswith("ímynd.dd.")
    (reject,) = [s for batch in found for s in batch.stretches]
    assert (reject.kind, reject.position) == ("reject", 8)
    assert frame["n_lines"].sum() == 17
    assert frame.filter(pl.col("program") == "kernel")["host"].to_list() == [None, "victoria"]
    assert frame["repeats"].drop_nulls().to_list() == [5]


def test_plaso_rsyslog_files() -> None:
    frame = read(log("syslog/plaso/syslog_rsyslog"))
    assert frame.height == 5
    assert frame["repeats"].to_list() == [76, None, None, None, None]
    assert set(frame["zone_basis"]) == {"stated"}
    assert frame["program"].to_list() == ["rsyslogd", "rsyslogd", "systemd", "systemd", "systemd"]
    cron = read(log("syslog/plaso/syslog_cron.log"))
    assert (cron.height, set(cron["program"])) == (9, {"CRON"})
    assert cron["host"].n_unique() > 1


def test_lnav_samples() -> None:
    def of(name: str) -> pl.DataFrame:
        return read(log(f"syslog/lnav/{name}"))

    boundary = read(log("syslog/lnav/logfile_syslog.1"), modified_ns=1_200_000_000 * 10**9)
    assert [str(ts)[:10] for ts in boundary["ts"]] == ["2007-12-03"] * 3 + ["2008-01-03"]
    assert of("logfile_syslog.3")["n_lines"].to_list() == [1, 1, 3, 3, 3, 3, 3]
    assert of("logfile_syslog.3")["message"][2].count("\n\t") == 2
    bad = of("logfile_bad_syslog.0")
    assert bad["program"].to_list() == ["automount", "automount", None, "sudo"]
    headed, found = whole(log("syslog/lnav/logfile_syslog_with_header.0"))
    assert headed.height == 4
    assert [(s.kind, s.position) for batch in found for s in batch.stretches] == [("reject", 1)]
    muxed = of("logfile_muxed_syslog.0")
    assert (muxed.height, muxed["program"][0], muxed["host"][0]) == (14, "automount", "veridian")
    assert of("logfile_crlf.0")["message"].str.contains("\r").sum() == 0
    invalid = of("logfile_invalid_utf8.0")
    assert invalid["n_lines"].to_list() == [6]
    assert r"\x" in invalid["message"][0]
    assert "\r" not in invalid["message"][0]
    client = of("logfile_partitions.0").filter(program="dhclient")["message"].str.extract(r"^(DHCP[A-Z]+|bound)", 1)
    counts = dict(client.drop_nulls().value_counts().rows())
    assert counts == {"DHCPREQUEST": 10, "DHCPACK": 8, "bound": 8, "DHCPNAK": 2, "DHCPDISCOVER": 2, "DHCPOFFER": 2}
    assert str(of("logfile_access_log.0")["ts"][0]).startswith("2009-07-20 22:59:26")


# The manifest calls lines without an Erlang process continuation lines; five of them have a stamp and a level
# (`[warning]  lager_file_backend dropped 19 messages …`) and are records: 1321 = 1316 + 5, 1251 warnings + 5.
def test_rabbitmq() -> None:
    frame, found = whole(log("rabbitmq/rabbit@juju-04f1e3-1-lxd-5.log"))
    levels = dict(frame.filter(pl.col("logger").is_not_null())["severity"].value_counts().rows())
    assert levels == {"INFO": 4641, "WARNING": 1251, "NOTICE": 3}
    assert frame["logger"].null_count() == 5
    assert int(frame["n_lines"].sum()) - frame.height + 5 == 1321
    assert frame["message"].str.starts_with("accepting AMQP connection").sum() == 1409
    assert frame["message"].str.starts_with("closing AMQP connection").sum() == 1280
    assert frame["message"].str.contains("client unexpectedly closed TCP connection").sum() == 1246
    assert str(frame["ts"].min())[:23] == "2022-02-04 09:52:20.868"
    assert str(frame["ts"].max())[:23] == "2022-02-10 05:01:51.536"
    dropped = [loss[3] for batch in found for loss in batch.losses if "lager" in loss[2]]
    assert dropped == [1, 19, 58, 4, 19]


def test_devstack_journal() -> None:
    frame, found = whole(log("openstack/os-loganalyze/devstack@c-api.service.log.txt"))
    assert frame.height == 9
    assert [s.reason for batch in found for s in batch.stretches] == ["remark of journalctl"]
    assert frame["logger"][1] == "oslo_reports.guru_meditation_report"
    assert set(frame["pid"][1:]) == {8526}
    assert frame["ts"].dt.microsecond()[0] == 377230


# napalm-logs' pri, host and process; (folder, field): why ours differs.
NAPALM_DIFFERENT_LAYOUT = ("fortinet/", "opengear/")


def test_switch_messages_have_the_fields_that_napalm_expects() -> None:
    root = evidence_root() / "logs" / "switch" / "napalm-logs"
    compared = 0
    for path in sorted(root.rglob("syslog.msg")):
        folder = path.relative_to(root).parent.as_posix()
        frame = read(path.read_bytes(), year=2018)
        if folder.startswith(NAPALM_DIFFERENT_LAYOUT):
            assert frame.height == 0, folder
            continue
        assert frame.height == 1, folder
        want = json.loads((path.parent / "yang.json").read_text())
        details = want.get("message_details", {})
        row = frame.row(0, named=True)
        if "host" in details:
            # a Junos routing engine puts its own name before the router's; the line's host is all of it
            assert row["host"].removeprefix("re0.") == details["host"], folder
        pri = int(re.match(r"<(\d+)>", path.read_text())[1])
        assert row["severity"] == ("EMERG", "ALERT", "CRIT", "ERR", "WARNING", "NOTICE", "INFO", "DEBUG")[pri % 8]
        if str(details.get("processId", "")).isdigit() and row["pid"] is not None:
            assert row["pid"] == int(details["processId"]), folder
        compared += 1
    assert compared > 60


def test_tables_and_documents_are_no_logs() -> None:
    for path in sorted((evidence_root()).rglob("*")):
        if path.is_file() and path.suffix in (".csv", ".yml", ".json", ".pcap", ".pcapng", ".conf", ".xml", ".png"):
            with Path(path).open("rb") as file:
                assert likeness(file.read(65536)) < 0.5, path
