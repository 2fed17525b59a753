"""What nova-compute, libvirt, virsh and qemu say of an instance (formats.md 5.6)."""

from collections import Counter
from datetime import UTC, datetime

import polars as pl
import pytest

from forensics.loaders._message_format import leaves, message_formats
from forensics.records import InstanceEvent
from tests._evidence import evidence_root
from tests.loaders.messages._logs import nova_logs, rows_in, rows_of
from tests.loaders.messages.test_samples import log_records

UUID = "a18a5824-4215-4e24-bcfc-cb9f89f6bcbd"
NAME = "instance-00000e05"
SHA = "7b4783508212f5d242cbf9ff56fb8d33b4ce6166"
BASE = f"/var/lib/nova/instances/_base/{SHA}_10"
DISK = f"/var/lib/nova/instances/{UUID}/disk"
OLD_DISK = f"/var/lib/nova/instances/{NAME}/disk"
ACCESS = (
    f"Cannot access backing file '{BASE}' of storage file '{DISK}' (as uid:107, gid:107): No such file or directory"
)
OPEN = f"could not open disk image {DISK}: No such file or directory"
OPEN_6 = f"Could not open '{BASE}': No such file or directory"
OPEN_2 = f"Could not open backing file: {OPEN_6}"
CLOSED = "internal error: qemu unexpectedly closed the monitor: qemu-kvm"
HEAD = "2015-10-29 10:53:08.147 29022 {} nova.{} [req-84d16d16-3808-426b-b7af-3b90a11b83b0 u p - - -] [instance: {}] "

# loghub's templates of lines about an instance; the others (limits, totals) say nothing that happened to it
TEMPLATES = {
    "E1": "claimed", "E2": "claimed", "E3": "creating", "E4": "files_deleted", "E5": "files_deleted", "E7": "other",
    "E8": "destroyed", "E9": "spawned", "E11": "terminating", "E12": "built", "E13": "other", "E14": "destroyed",
    "E15": "spawned", "E20": "paused", "E21": "resumed", "E22": "started", "E23": "stopped",
}  # fmt: skip


def test_the_public_sample_against_its_templates() -> None:
    rows = rows_in(InstanceEvent, "logs/openstack/loghub/OpenStack_2k.log")
    truth = pl.read_csv(evidence_root() / "logs/openstack/loghub/OpenStack_2k.log_structured.csv")
    joined = truth.select(position="LineId", template="EventId").join(rows, on="position", how="left")
    told = joined.filter(pl.col("template").is_in([*TEMPLATES]))
    assert told["event"].to_list() == told["template"].replace_strict(TEMPLATES).to_list()
    assert rows.height == told.height == 409
    assert rows["instance"].null_count() == 0
    assert rows["instance"].n_unique() == 22


def test_a_live_migration_there_and_back() -> None:
    """The instants at which the guest stood still, in the files and in the merged one."""
    moments: dict[str, list[tuple[str, str]]] = {}
    for node in ("c29", "c30"):
        rows = rows_in(InstanceEvent, f"logs/openstack/live-migration/hp-ms-01-{node}/nova/nova-compute.log")
        life = rows.filter(pl.col("event").is_in(["started", "paused", "resumed", "stopped"]))
        assert set(life["instance"]) == {UUID}
        moments[node] = [(str(ts)[11:23], event) for ts, event in life.select("ts", "event").rows()]
        counts = Counter(rows["event"])
        assert counts["migrating"] == {"c29": 8, "c30": 7}[node]
        assert counts["hypervisor_error"] == 0, "`libvirt: QEMU error` is named in a hint, and is none"
    assert moments["c30"] == [
        ("10:53:12.582", "paused"),
        ("10:53:13.484", "stopped"),
        ("10:54:23.269", "started"),
        ("10:54:27.592", "resumed"),
    ]
    assert ("10:54:27.609", "paused") in moments["c29"]
    assert len(moments["c29"]) == 5


def test_no_line_of_nova_gives_two_events() -> None:
    seen = 0
    for path in nova_logs():
        rows = rows_in(InstanceEvent, path)
        assert not rows["position"].is_duplicated().any(), path
        seen += rows.height
    assert seen > 400


def nova(*messages: str, level: str = "INFO", logger: str = "compute.manager", instance: str = UUID) -> pl.DataFrame:
    """Events of a nova-compute log with these messages."""
    return rows_of(InstanceEvent, "".join(f"{HEAD.format(level, logger, instance)}{said}\n" for said in messages))


def test_an_instance_from_claim_to_start() -> None:
    rows = nova(
        "Starting instance...",
        "Attempting claim: memory 512 MB, disk 1 GB",
        "Total memory: 64172 MB, used: 512.00 MB",
        "memory limit not specified, defaulting to unlimited",
        "Claim successful",
        "Creating image",
        "VM Started (Lifecycle Event)",
        "VM Paused (Lifecycle Event)",
        "VM Resumed (Lifecycle Event)",
        "Instance spawned successfully.",
        "Took 20.58 seconds to build instance.",
    )
    expected = ["creating", "claimed", "claimed", "creating", "started", "paused", "resumed", "spawned", "built"]
    assert rows["event"].to_list() == expected
    assert set(rows["instance"]) == {UUID}
    assert set(rows["request_id"]) == {"req-84d16d16-3808-426b-b7af-3b90a11b83b0"}
    assert rows.select("user_id", "project_id", "pid", "severity").unique().rows() == [("u", "p", 29022, "INFO")]


def test_the_exception_below_the_line() -> None:
    """Traceback lines with a header of their own, as every release to Kilo writes them."""
    start = "2015-10-29 10:53:08.147 29022"
    trace = f"{start} TRACE nova.compute.manager [instance: {UUID}] "
    text = (
        HEAD.format("ERROR", "compute.manager", UUID) + "Cannot reboot instance: Cannot access backing file\n"
        f"{trace}Traceback (most recent call last):\n"
        f'{trace}  File "/usr/lib/python2.7/site-packages/libvirt.py", line 999, in createWithFlags\n'
        f"{trace}libvirtError: {ACCESS}\n" + HEAD.format("INFO", "compute.manager", UUID) + "Rebooting instance\n"
    )
    rows = rows_of(InstanceEvent, text)
    assert rows["event"].to_list() == ["start_failed", "rebooting"]
    row = rows.row(0, named=True)
    assert (row["base_file"], row["path"], row["image_hash"]) == (BASE, DISK, SHA)
    assert (row["instance"], row["error"], row["severity"]) == (UUID, ACCESS, "ERROR")
    assert row["length_bytes"] == len(text.encode()) - len(text.split("\n")[-2]) - 1


def test_a_base_file_in_an_xml_is_not_missing() -> None:
    """Only a file that could not be opened is named: the definition of a domain names what it uses."""
    xml = f"<domain>\n<name>{NAME}</name>\n<backingStore><source file='{BASE}'/></backingStore>\n</domain>"
    (row,) = nova(
        f"Error launching a defined domain with XML: {xml}\nTraceback (most recent call last):\n  x\n"
        "libvirtError: internal error: cannot find enough memory",
        level="ERROR",
        logger="virt.libvirt.guest",
    ).to_dicts()
    assert (row["event"], row["base_file"], row["path"]) == ("start_failed", None, None)
    assert row["error"] == "internal error: cannot find enough memory"


@pytest.mark.parametrize(
    "message",
    [
        'You may see the error "libvirt: QEMU error: Domain not found: no domain with matching name."',
        "Updated the network info_cache for instance",
        "Received event network-vif-plugged-7d40 external_instance_event",
        "Total vcpu: 16 VCPU, used: 1.00 VCPU",
        "Get console output",
        "Error from libvirt during undefineFlags. Retrying with undefine",
        "Current state is 4, state in DB is 1.",
    ],
)
def test_lines_about_an_instance_that_tell_no_event(message: str) -> None:
    assert nova(message).is_empty()


@pytest.mark.parametrize("logger", ["nova.compute.api", "nova.osapi_compute.wsgi.server", "cinder.volume.manager"])
def test_other_loggers(logger: str) -> None:
    assert InstanceEvent not in leaves(log_records("Terminating instance", logger=logger, instance=UUID))


def test_lines_without_a_logger() -> None:
    row = log_records(f"[instance: {UUID}] Terminating instance", program="nova-compute")
    assert leaves(row)[InstanceEvent].select("event", "instance").rows() == [("terminating", UUID)]
    assert InstanceEvent not in leaves(log_records(f"[instance: {UUID}] Terminating instance", program="heat"))


def test_events_of_no_instance_are_left_out() -> None:
    assert InstanceEvent not in leaves(log_records("Creating image", logger="nova.virt.libvirt.driver"))


QEMU = f"""\
2013-02-15 08:40:18.123+0000: starting up
LC_ALL=C PATH=/sbin:/bin QEMU_AUDIO_DRV=none /usr/bin/kvm -S -M pc-1.2 -name {NAME} -uuid {UUID} -nodefconfig
qemu: terminating on signal 15 from pid 2345
2013-02-15 09:00:00.000+0000: shutting down
2013-02-15 09:40:18.123+0000: starting up
LC_ALL=C /usr/bin/kvm -name {NAME} -drive file={OLD_DISK},if=none,id=drive-virtio-disk0
qemu-kvm: -drive file={OLD_DISK},if=none: could not open disk image {OLD_DISK}: No such file or directory
2013-02-15 09:40:18.323+0000: shutting down
"""


@pytest.mark.parametrize("source", [f"cc12/libvirt/qemu/{NAME}.log", f"cc12/{NAME}.log.1", f"qemu/{NAME}.log.2.gz"])
def test_the_log_of_a_domain(source: str) -> None:
    """5.6: old qemu names the overlay, not the base; the name of the file is that of the domain; the stamp is UTC."""
    rows = rows_of(InstanceEvent, QEMU, source, zone="America/Edmonton")
    assert rows["event"].to_list() == ["started", "stopped", "missing_file", "stopped"]
    assert set(rows["instance_name"]) == {NAME}
    assert rows["instance"].to_list() == [UUID, None, None, None]
    assert rows["ts"][0] == datetime(2013, 2, 15, 8, 40, 18, 123000, UTC)
    assert rows.select("path", "base_file").row(2) == (OLD_DISK, None)
    assert rows["error"][2].endswith(f"could not open disk image {OLD_DISK}: No such file or directory")


def test_the_log_of_a_domain_with_qemu_s_own_stamps() -> None:
    text = (
        "2019-01-01 10:00:00.000+0000: starting up libvirt version: 4.0.0, hostname: cc12\n"
        f"/usr/bin/qemu -name guest={NAME}\n"
        f"2019-01-01T10:00:01.123456Z qemu-system-x86_64: -drive file={DISK},if=none: Could not open backing "
        f"file: Could not open '{BASE}': No such file or directory\n"
        "2019-01-01 10:00:01.200+0000: shutting down, reason=failed\n"
        "2019-01-01T11:00:01.123456Z qemu-system-x86_64: terminating on signal 15 from pid 2345 (/usr/sbin/libvirtd)\n"
        "2019-01-01T11:00:01.123456Z qemu-system-x86_64: warning: host doesn't support requested feature\n"
    )
    rows = rows_of(InstanceEvent, text, f"cc12/qemu/{NAME}.log")
    assert rows["event"].to_list() == ["started", "missing_file", "start_failed", "stopped"]
    assert rows.select("base_file", "path", "image_hash", "instance").row(1) == (BASE, DISK, SHA, UUID)
    assert rows["host"].null_count() == 4, "qemu is no host"


def test_a_domain_of_another_name() -> None:
    rows = rows_of(InstanceEvent, "2013-02-15 08:40:18.123+0000: shutting down\n", "cc12/libvirt/qemu/web-7.log")
    assert rows["instance_name"].to_list() == ["web-7"]


LIBVIRTD = f"""\
2013-02-15 08:40:18.123+0000: 2345: error : virStorageFileReportBrokenChain:423 : {ACCESS}
2013-02-15 08:40:18.124+0000: 2345: error : qemuDomainLookupByName:1 : Domain not found: no domain with \
matching name '{NAME}'
2013-02-15 08:40:18.125+0000: 2345: warning : qemuDomainObjTaint:1668 : Domain id=3 name='{NAME}' is \
tainted: high-privileges
2013-02-15 08:40:18.126+0000: 2345: error : virNetSocketReadWire:1184 : End of file while reading data
2013-02-15 08:40:18.127+0000: 2345: info : libvirt version: 1.2.2
2013-02-15 08:40:19.123+0000: 2345: error : qemuProcessStart:1 : internal error: process exited while connecting to \
monitor: 2013-02-15T08:40:19.1Z qemu-kvm: -drive file={DISK},if=none: Could not open backing file: \
Could not open '{BASE}': No such
"""


def test_the_log_of_libvirtd() -> None:
    """What is no failure of a domain gives no event: nova asks for names that are not there yet."""
    rows = rows_of(InstanceEvent, LIBVIRTD, "cc12/libvirtd.log")
    assert rows["event"].to_list() == ["missing_file", "start_failed"]
    assert rows["position"].to_list() == [1, 6]
    assert set(rows["base_file"]) == {BASE}
    assert set(rows["path"]) == {DISK}
    assert set(rows["instance"]) == {UUID}
    assert set(rows["pid"]) == {2345}
    assert rows["error"][0] == ACCESS


@pytest.mark.parametrize("inner", ["", "2345: error : f:1 : ", "2013-02-15 08:40:18.123+0000: 2345: error : f:1 : "])
def test_libvirtd_through_syslog(inner: str) -> None:
    rows = rows_of(InstanceEvent, f"Feb 15 01:40:18 cc12 libvirtd[2345]: {inner}{ACCESS}\n", "syslog", year=2013)
    assert rows.select("event", "base_file", "host", "pid").rows() == [("missing_file", BASE, "cc12", 2345)]


def test_what_virsh_prints_into_a_log() -> None:
    text = f"Feb 15 01:40:18 cc12 boot-instances: error: Failed to start domain {NAME}\n"
    rows = rows_of(InstanceEvent, text, "syslog", year=2013)
    assert rows.is_empty(), "another program's words"
    rows = rows_of(InstanceEvent, text.replace("boot-instances", "virsh"), "syslog", year=2013)
    assert rows.select("event", "instance_name").rows() == [("start_failed", NAME)]


@pytest.mark.parametrize(
    ("message", "base_file", "path"),
    [
        (ACCESS, BASE, DISK),
        (ACCESS.replace("No such file or directory", "Permission denied"), BASE, DISK),
        (f"Cannot access storage file '{DISK}' (as uid:107, gid:107): No such file or directory", None, DISK),
        (f"unable to set user and group to '107:107' on '{BASE}': No such file or directory", BASE, None),
        (f"cannot open file '{BASE}': No such file or directory", BASE, None),
        (f"internal error process exited while connecting to monitor: kvm: -drive file={DISK}: {OPEN}", None, DISK),
        (f"{CLOSED}: -drive file={DISK},if=none: {OPEN_2}", BASE, DISK),
        (f'internal error: -blockdev {{"driver":"file","filename":"{BASE}"}}: {OPEN_6}', BASE, None),
    ],
)  # fmt: skip
def test_a_missing_file_in_the_words_of_each_version(message: str, base_file: str | None, path: str | None) -> None:
    """5.6, in nova's log and in libvirt's."""
    by_nova = nova(f"Failed to start libvirt guest\nTraceback (most recent call last):\n  x\nlibvirtError: {message}")
    by_libvirt = rows_of(
        InstanceEvent, f"2013-02-15 08:40:18.123+0000: 2345: error : f:1 : {message}\n", "libvirtd.log"
    )
    for rows in (by_nova, by_libvirt):
        assert rows.select("base_file", "path").rows() == [(base_file, path)]
    assert by_nova["event"].to_list() == ["start_failed"]
    assert by_nova["error"].to_list() == [message]


def test_every_wording_of_nova_is_met_by_a_sample() -> None:
    """A wording without a sample could be broken unseen: each event of the table has one."""
    (nova_format,) = (one for one in message_formats() if one.name == "nova-compute")
    from forensics.loaders.messages._nova_wordings import WORDINGS

    assert {sample.expected["event"] for sample in nova_format.samples} >= set(WORDINGS)
