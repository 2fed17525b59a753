"""Section 5 of the reference: nova's image cache, release by release, and what a missing base file looks like."""

import hashlib

import pytest

from forensics.records import BaseFileEvent, DiskImage, InstanceEvent, LogRecord, ServiceState
from tests.formats._met import Line, meet, parameters

BASE = "/var/lib/nova/instances/_base"
SHA = "a489c868f0c37da93b76227c91bb03908ac0e742"
ID = "0673dd71-34c5-4fbb-86c4-40623fbe45b4"
FILE = f"{BASE}/{SHA}"
TALE = f"{BASE}/7b4783508212f5d242cbf9ff56fb8d33b4ce6166"
REQ = "req-addc1839-2ed5-4778-b57e-5854eb7b8b09"
DISK = "/var/lib/nova/instances/instance-00000e05/disk"


def said(section: str, message: str, *actions: str, level: str = "INFO", **want: object) -> Line:
    """One line of the image cache; as many rows as there are actions."""
    text = f"2012-12-19 12:10:59 7 {level} nova.virt.libvirt.imagecache [-] {message}"
    return Line(section, text, BaseFileEvent, [{"action": action, "pid": 7} | want for action in actions])


def silent(message: str) -> Line:
    """A line of the image cache that tells of no file; it stays in the log."""
    text = f"2012-12-19 12:10:59 7 DEBUG nova.virt.libvirt.imagecache [-] {message}"
    return Line("5.1", text, LogRecord, {"message": message, "severity": "DEBUG"})


def elsewhere(text: str, event: str, **want: object) -> Line:
    """What others say of a backing file that is not there."""
    return Line("5.6", text, InstanceEvent, {"event": event} | want)


def nova(message: str, level: str = "ERROR") -> str:
    return f"2014-01-10 09:11:45.072 7 {level} nova.compute.manager [{REQ} u p] [instance: {ID}] {message}"


OF = {"base_file": FILE, "image_hash": SHA, "image": ID, "size_gb": None}
GONE = f"Could not open '{FILE}': No such file or directory"
LINES = [
    # 5.1 messages by release; IC_IMAGE in both wordings
    *(said("5.1", f"{head}: {what}", action, **OF) for head in (f"{ID} ({FILE})", f"image {ID} at ({FILE})")
      for what, action in (("checking", "checking"), ("image is not in use", "not_in_use"),
                           ("image is in use", "in_use"), ("image verification failed", "corrupt"),
                           ("image verification skipped, no hash stored", "verified"),
                           ("generating checksum", "verified"))),
    said("5.1", f"{ID} ({FILE}): in use: on this node 1 local, 2 on other nodes", "in_use", level="DEBUG", local=1,
         remote=2, **OF),
    said("5.1", f"{ID} ({FILE}): in use on (3 on other nodes)", "in_use", level="DEBUG", local=None, remote=3, **OF),
    said("5.1", f"image {ID} at ({FILE}): in use: on this node 1 local, 2 on other nodes sharing this instance storage",
         "in_use", local=1, remote=2, **OF),
    said("5.1", f"{ID} ({FILE}): warning -- an absent base file is in use! instances: instance-00000e05 "
        f"instance-00000e06",
         "absent", level="WARNING", instances=["instance-00000e05", "instance-00000e06"], **OF),
    said("5.1", f"image  at ({FILE}_20): checking", "checking", image=None, size_gb=20),
    # IC_TOOYOUNG, IC_REMOVING: the wordings of three generations (appendix C10)
    *(said("5.1", text.format(f"{TALE}_10"), action, base_file=f"{TALE}_10", size_gb=10)
      for kind in ("Base", "Base or swap", "Base, swap or ephemeral")
      for text, action in ((f"{kind} file too young to remove: {{}}", "too_young"),
                           (f"Removing {kind[0].lower()}{kind[1:]} file: {{}}", "removing"))),
    # IC_FAIL, IC_LIST, IC_UNKNOWN
    said("5.1", f"Failed to remove {FILE}, error was [Errno 13] Permission denied: '{FILE}'", "remove_failed",
         level="ERROR", base_file=FILE, error=f"[Errno 13] Permission denied: '{FILE}'"),
    said("5.1", f"Active base files: {FILE} {TALE}_10", "active", "active"),
    said("5.1", f"Removable base files: {FILE} {TALE}_10", "removable", "removable"),
    said("5.1", f"Corrupt base files: {FILE}", "corrupt", base_file=FILE),
    said("5.1", f"Unknown base file: {FILE}", "unknown", level="WARNING", base_file=FILE, image_hash=SHA),
    # the rest
    said("5.1", "Instance instance-00000e05 is using a backing file 7b4783508212f5d242cbf9ff56fb8d33b4ce6166_10 which "
        "does "
         "not appear in the image service", "in_use", level="WARNING", instances=["instance-00000e05"], size_gb=10),
    said("5.1", f"Image id {ID} yields fingerprint {SHA}", "fingerprint", level="DEBUG", image=ID, image_hash=SHA),
    said("5.1", f"Instance {ID} is backed by {SHA}", "in_use", level="DEBUG", instances=[ID], image_hash=SHA),
    said("5.1", f"Cannot remove {FILE}, it does not exist", "gone", level="DEBUG", base_file=FILE),
    said("5.1", f"Writing stored info to {FILE}.info", "verified", image_hash=SHA),
    said("5.1", f"Reading image info file: {FILE}.info", "verified", level="DEBUG"),
    said("5.1", f"Error reading image info file {FILE}.info: No JSON", "verified", level="ERROR", error="No JSON"),
    said("5.1", "swap_1024 swap image was used by instance but no back files existing!", "absent", level="WARNING",
         base_file="swap_1024"),
    *(silent(text) for text in ("Verify base images", "Verification complete", "instance-00000e05 has a disk file",
                                f"Skipping verification, no base directory at {BASE}",
                                "instance-00000e05 is a valid instance name")),
    # 5.2 example lines
    Line("5.2", "2012-02-18 04:24:17 41389 WARNING nova.virt.libvirt.imagecache [-] Unknown base file: "
         f"{BASE}/06a057b9c7b0b27e3b496f53d1e88810a0d1d5d3_20", BaseFileEvent,
         {"action": "unknown", "size_gb": 20, "pid": 41389, "image_hash": "06a057b9c7b0b27e3b496f53d1e88810a0d1d5d3"}),
    Line("5.2", "2012-02-18 04:24:17 41389 INFO nova.virt.libvirt.imagecache [-] Removable base files: "
         f"{BASE}/06a057b9c7b0b27e3b496f53d1e88810a0d1d5d3 {BASE}/06a057b9c7b0b27e3b496f53d1e88810a0d1d5d3_20",
         BaseFileEvent, [{"action": "removable", "size_gb": None}, {"action": "removable", "size_gb": 20}]),
    Line("5.2", f"2012-12-19 12:10:59 INFO nova.virt.libvirt.imagecache [-] Removing base file: {TALE}_10",
        BaseFileEvent,
         {"action": "removing", "size_gb": 10, "pid": None, "ts": "2012-12-19 12:10:59"}),
    Line("5.2", f"2017-05-16 00:00:05.185 2931 INFO nova.virt.libvirt.imagecache [{REQ} - - - - -] image {ID} at "
        f"({FILE}): "
         "checking", BaseFileEvent, {"action": "checking", "request_id": REQ, **OF}),
    Line("5.2", f"2017-05-16 00:00:05.186 2931 INFO nova.virt.libvirt.imagecache [{REQ} - - - - -] image {ID} at "
        f"({FILE}): "
         "in use: on this node 1 local, 0 on other nodes sharing this instance storage", BaseFileEvent,
         {"action": "in_use", "local": 1, "remote": 0, "request_id": REQ}),
    Line("5.2", f"2017-05-16 00:00:20.346 2931 INFO nova.virt.libvirt.imagecache [{REQ} - - - - -] Removable base "
        f"files: "
         f"{FILE}", BaseFileEvent, {"action": "removable", "base_file": FILE}),
    # 5.3 BASEFILE: each tail
    *(said("5.3", f"Unknown base file: {FILE}{tail}", "unknown", image_hash=SHA, size_gb=size)
      for tail, size in (("", None), ("_10", 10), ("_sm", None), (".part", None), (".converted", None), (".sha1", None),
                         (".info", None), (".lock", None), ("_10.part", 10))),
    *(said("5.3", f"Unknown base file: {BASE}/{name}", "unknown", image_hash=None, size_gb=None)
      for name in (ID, "ephemeral_0_20_linux", "ephemeral_20_0706d66", "swap_512")),
    # 5.4: options with their defaults of each release are a matter of forensics/analysis
    # 5.5: the file compute_nodes, and a path that is active and removable in one pass
    Line("5.5", '{"cc12": 1360892418.123456, "dair-ua-c03": 1360888800}', ServiceState,
         [{"service_host": "cc12", "seen_at": "2013-02-15 01:40:18.123456", "told_by": "compute_nodes"},
          {"service_host": "dair-ua-c03", "state": "up"}], "nfs/compute_nodes"),
    Line("5.5", f"2012-12-19 12:10:59 INFO nova.virt.libvirt.imagecache [-] Active base files: {FILE}\n"
         f"2012-12-19 12:10:59 INFO nova.virt.libvirt.imagecache [-] Removable base files: {FILE}\n", BaseFileEvent,
         [{"action": "active", "base_file": FILE}, {"action": "removable", "base_file": FILE}]),
    # 5.6 what a missing backing file looks like elsewhere
    elsewhere("error: Failed to start domain instance-00000e05\nerror: Cannot access backing file "
              f"'{FILE}' of storage file '{DISK}' (as uid:107, gid:107): No such file or directory\n", "start_failed",
              instance_name="instance-00000e05", base_file=FILE, path=DISK, image_hash=SHA),
    elsewhere(f"2013-02-15 08:40:18.123+0000: starting up\nqemu-kvm: -drive file={DISK},if=none: could not open disk "
        f"image "
              f"{DISK}: No such file or directory", "missing_file", path=DISK, base_file=None),
    elsewhere(f"2019-01-01T10:00:00.123456Z qemu-system-x86_64: -drive file={DISK}: Could not open backing file: "
        f"{GONE}",
              "missing_file", base_file=FILE, image_hash=SHA),
    elsewhere(nova(f"Cannot reboot instance: {GONE}"), "start_failed", base_file=FILE, instance=ID),
    elsewhere(nova("An error occurred while trying to launch a defined domain with xml: <domain type='kvm'>"),
              "start_failed", instance=ID),
    elsewhere(nova("Error launching a defined domain with XML: <domain type='kvm'>"), "start_failed", instance=ID),
    elsewhere(nova("Failed to start libvirt guest"), "start_failed", instance=ID),
    elsewhere(nova("Rebooting instance after nova-compute restart.", "INFO"), "rebooting", instance=ID),
    elsewhere(nova("Failed to resume instance", "WARNING"), "start_failed", instance=ID),
    Line("5.6", f"image: disk\nfile format: qcow2\nvirtual size: 10G (10737418240 bytes)\ndisk size: 1.2G\nbacking "
        f"file: "
         f"{FILE}\n", DiskImage, {"backing_file": FILE}, "qemu-img-info.txt"),
    # 5.8 pitfalls; several nodes: test_imagecache.py::test_two_nodes_remove_one_file, a list that syslog cut:
    # test_imagecache.py::test_a_list_that_syslog_cut
    said("5.8", f"Removing base file: /mnt/my cloud/_base/{SHA}_10", "removing",
        base_file=f"/mnt/my cloud/_base/{SHA}_10",
         size_gb=10),
    said("5.8", f"Active base files: /srv/my cloud/_base/{SHA} /srv/my cloud/_base/{SHA}_10", "active", "active",
        cut=None),
    said("5.8", f"Removable base files: {FILE} {BASE}/7b478350", "removable", "removable"),
    # appendix A1
    Line("5.A1", f"dair-ua-c03/nova.log:Dec 19 12:10:59 dair-ua-c03 2012-12-19 12:10:59 INFO "
        f"nova.virt.libvirt.imagecache "
         f"[-] Removing base file: {TALE}_10", BaseFileEvent, {"action": "removing", "size_gb": 10,
         "host": "dair-ua-c03",
         "image_hash": "7b4783508212f5d242cbf9ff56fb8d33b4ce6166", "pid": None, "request_id": None}),
]  # fmt: skip


@pytest.mark.parametrize("line", parameters(LINES))
def test_section_5(line: Line) -> None:
    meet(line)


def test_section_5_3_the_hash_is_that_of_the_id() -> None:
    assert hashlib.sha1(ID.encode(), usedforsecurity=False).hexdigest() == SHA
