"""Which machine a file comes from: its hostname file, the path, and what wins where they differ."""

import tarfile
from pathlib import Path

import pytest

import forensics
from forensics.case._hosts import Hosts, told_hosts, told_instants
from forensics.case._zones import Zones
from forensics.evidence import walk
from forensics.loaders.documents.hostname import host_of_document
from forensics.records import HostInterface


@pytest.mark.parametrize(
    ("text", "name", "told"),
    [
        ("cc12\n", "x/etc/hostname", ("x", "cc12")),
        ("cc12.example.org", "etc/hostname", ("", "cc12.example.org")),
        ("cc12\n", "s/sos_commands/general/hostname", ("s", "cc12")),
        ("cc12\n", "s/sos_commands/host/hostname", ("s", "cc12")),
        ("cc12\r\n", "s/proc/sys/kernel/hostname", ("s", "cc12")),
        ("cc12\n", "s/hostname.txt", ("s", "cc12")),
        ("Linux cc12 3.2.0-35-generic #55-Ubuntu SMP x86_64\n", "s/sos_commands/kernel/uname_-a", ("s", "cc12")),
        ("Linux cc12 5.14.0 #1 SMP x86_64 GNU/Linux\n", "s/uname-a.txt", ("s", "cc12")),
        (
            " Static hostname: cc12.example.org\n       Icon name: computer-server\n",
            "s/sos_commands/host/hostnamectl_status",
            ("s", "cc12.example.org"),
        ),
    ],
)
def test_a_document_names_its_machine(text: str, name: str, told: tuple[str, str]) -> None:
    assert host_of_document(text.encode(), name) == told


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("localhost\n", "x/etc/hostname"),
        ("cc12\ncc13\n", "x/etc/hostname"),
        ("cc12\n", "x/etc/hosts"),
        ("cc12\n", "x/var/log/hostname.log"),
        ("<b>cc12</b>\n", "etc/hostname"),
        ("Darwin mac 22.0\n", "uname"),
        ("", "etc/hostname"),
        ("\x00\xff", "etc/hostname"),
        ("a." * 2000, "etc/hostname"),
    ],
)
def test_a_document_names_none(text: str, name: str) -> None:
    assert host_of_document(text.encode("latin-1"), name) is None


def test_what_lies_below_the_folder_is_the_machines_unless_a_folder_further_in_says_otherwise() -> None:
    hosts = Hosts({"case7/a": "cc12", "sosreport-cc13-mylabel-2024-05-01-abcdefg": "cc13", "c01": "c01.example.org"})
    assert hosts.of("case7/a/var/log/nova/nova-compute.log") == "cc12"
    assert hosts.of("case7/a/nova.log") == "cc12"
    assert hosts.of("case7/a/var/log/rsyslog/c03/nova.log") == "c03"
    assert hosts.of("case7/b/nova.log") is None
    assert hosts.of("sosreport-cc13-mylabel-2024-05-01-abcdefg/var/log/messages") == "cc13"
    assert hosts.of("c01/var/log/syslog") == "c01"  # the path has the same name, in its short form
    assert Hosts({"": "cc12"}).of("var/log/syslog") == "cc12"
    assert Hosts({"": "cc12"}).of("compute01/nova.log") == "compute01"
    assert Hosts({}).of("compute01/nova.log") == "compute01"


def test_files_that_disagree_name_no_machine(tmp_path: Path) -> None:
    for folder, names in {"a": ("cc12", "cc12.example.org"), "b": ("cc12", "cc13"), "c": ("3f2a1b4c5d6e",)}.items():
        for place, name in zip(("etc/hostname", "hostname"), names, strict=False):
            path = tmp_path / folder / place
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(f"{name}\n")
    hosts, by_source = told_hosts(list(walk(tmp_path)))
    assert [hosts.of(f"{folder}/nova.conf") for folder in "abc"] == ["cc12.example.org", None, None]
    assert by_source["b/hostname"] == "cc13"


def test_a_container_of_openstack_ansible_is_its_machine(tmp_path: Path) -> None:
    path = tmp_path / "x/etc/hostname"
    path.parent.mkdir(parents=True)
    path.write_text("infra1-nova-api-container-1a2b3c4d\n")
    hosts, _ = told_hosts(list(walk(tmp_path)))
    assert hosts.of("x/var/log/nova/nova-api.log") == "infra1"


def test_a_case_knows_the_machine_and_its_zone(tmp_path: Path) -> None:
    evidence = tmp_path / "evidence"
    for name, text in {
        "grab/etc/hostname": "cc12\n",
        "grab/etc/timezone": "America/Edmonton\n",
        "grab/var/log/nova/nova-compute.log": "2013-02-15 01:40:18 INFO nova.compute.manager [-] x\n",
        "other/nova.log": "2013-02-15 01:40:18 INFO nova.compute.manager [-] x\n",
    }.items():
        path = evidence / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    case = forensics.open_case(evidence, out=tmp_path / "case")
    rows = {row["source"]: row for row in case.sources.iter_rows(named=True)}
    assert rows["grab/var/log/nova/nova-compute.log"]["host"] == "cc12"
    assert rows["grab/var/log/nova/nova-compute.log"]["zone"] == "America/Edmonton"
    assert rows["grab/etc/hostname"]["status"] == "read"
    assert rows["grab/etc/hostname"]["note"] == "names the machine cc12"
    assert rows["other/nova.log"]["host"] is None


def test_a_log_of_several_machines_has_the_zone_that_all_of_them_have(tmp_path: Path) -> None:
    line = "Dec 19 12:10:59 {} 2012-12-19 12:10:59 INFO nova.compute.manager [-] x\n"
    for name, text in {
        "a01/etc/timezone": "America/Edmonton\n",
        "a02.example.org/etc/timezone": "America/Edmonton\n",
        "b01/etc/timezone": "Europe/Zurich\n",
        "rsyslog/nova.log": line.format("a01") + line.format("a02"),
        "rsyslog/more.log": line.format("a01") + line.format("b01"),
        "rsyslog/some.log": line.format("a01") + line.format("a03"),
    }.items():
        path = tmp_path / "evidence" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    case = forensics.open_case(tmp_path / "evidence", out=tmp_path / "case")
    rows = {row["source"]: row for row in case.sources.iter_rows(named=True)}
    row = rows["rsyslog/nova.log"]
    assert (row["zone"], row["zone_basis"]) == ("America/Edmonton", "declared")
    assert str(rows["rsyslog/nova.log"]["started_at"]).startswith("2012-12-19 19:10:59")
    assert rows["rsyslog/nova.log"]["rows"] == 2
    assert {rows[f"rsyslog/{name}.log"]["zone_basis"] for name in ("more", "some")} == {"assumed"}


def test_a_named_zone_and_its_offset_are_one_and_a_date_alone_is_no_log(tmp_path: Path) -> None:
    evidence = tmp_path / "evidence"
    for name, text in {
        "sosreport-cmp042-20240611143022/sos_commands/systemd/timedatectl": "Time zone: Europe/Zurich (CEST, +0200)\n",
        "sosreport-cmp042-20240611143022/date": "Tue Jun 11 16:30:22 CEST 2024\n",
        "sosreport-cmp042-20240611143022/var/log/nova/nova-compute.log": "2024-01-15 01:40:18.123 7 INFO nova [-] x\n",
        "cc12/etc/timezone": "Europe/Zurich\n",
        "cc12/date": "Fri Feb 15 01:40:18 MST 2013\n",
        "cc12/nova.log": "2013-02-15 01:40:18.123 7 INFO nova [-] x\n",
    }.items():
        path = evidence / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    case = forensics.open_case(evidence, out=tmp_path / "case")
    rows = {row["source"].rpartition("/")[2] + row["host"]: row for row in case.sources.iter_rows(named=True)}
    assert rows["nova-compute.logcmp042"]["zone"] == "Europe/Zurich"
    assert rows["nova.logcc12"]["zone_basis"] == "assumed"  # two that contradict each other tell nothing
    assert (rows["datecmp042"]["format"], rows["datecmp042"]["rows"]) == ("time zone", 0)


def test_an_archive_is_not_read_as_one_log(tmp_path: Path) -> None:
    evidence = tmp_path / "evidence"
    evidence.mkdir()
    line = b"Feb 15 01:40:18 cc12 kernel: up\n" * 40
    member = tmp_path / "syslog"
    member.write_bytes(line)
    with tarfile.open(evidence / "logs.tar.gz", "w:gz") as archive:
        archive.add(member, "var/log/syslog")
    case = forensics.open_case(evidence, out=tmp_path / "case")
    assert case.sources.select("source", "status", "rows", "note").rows() == [
        ("logs.tar.gz", "read", 0, "1 member"),
        ("logs.tar.gz/var/log/syslog", "read", 40, None),
    ]


def test_a_date_in_a_folder_tells_when_its_snapshots_were_taken(tmp_path: Path) -> None:
    report = tmp_path / "evidence" / "sosreport-cc12-2013021501-abc"
    files = {
        "sos_commands/date/date": "Fri Feb 15 01:40:18 MST 2013\n",
        "sos_commands/networking/brctl_show": "bridge name\tbridge id\t\tSTP enabled\tinterfaces\n"
        "br100\t\t8000.fa163e24e722\tno\t\tvlan100\n",
    }
    for name, text in files.items():
        path = report / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    (tmp_path / "evidence" / "other").mkdir()
    (tmp_path / "evidence" / "other" / "brctl.txt").write_text(files["sos_commands/networking/brctl_show"])
    case = forensics.open_case(tmp_path / "evidence", out=tmp_path / "x.case")
    rows = case.records(HostInterface).filter(kind="bridge").sort("source").collect()
    assert rows["ts_basis"].to_list() == ["modified", "command"]
    assert str(rows["ts"][1]) == "2013-02-15 08:40:18+00:00"


def test_two_dates_far_apart_tell_nothing(tmp_path: Path) -> None:
    for name, text in {
        "date": "Fri Feb 15 01:40:18 MST 2013\n",
        "sos_commands/date/date": "1999-01-01 00:00:00Z\n",
    }.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    assert told_instants(list(walk(tmp_path)), Zones({}, lambda _: None), Hosts({})) == {}


def test_a_zone_speaks_for_its_machine_or_else_for_its_folder() -> None:
    told = {"havana/date.txt": "+08:00", "cc1/etc/timezone": "Europe/Berlin", "cc1/date.txt": "+01:00"}
    told["x/etc/timezone"] = "UTC"
    zones = Zones(told, {"cc1/etc/timezone": "cc1", "cc1/date.txt": "cc1"}.get)
    assert zones.of("havana/logs/nova-api.log", None) == "+08:00"
    assert zones.of("grizzly/nova-api.log", None) is None
    assert zones.of("havana/nova-api.log", "cc1") == "Europe/Berlin"
    assert zones.of("x/var/log/syslog", None) == zones.of("x/var/log/syslog", "x") == "UTC"
    assert zones.of("havana/nova-api.log", "cc2") is None
    assert Zones({"date.txt": "+08:00"}, lambda _: None).of("a/b.log", None) == "+08:00"
    assert Zones({"a/d1": "+08:00", "a/d2": "+07:00"}, lambda _: None).of("a/b.log", None) is None
