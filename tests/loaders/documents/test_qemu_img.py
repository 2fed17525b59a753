"""`qemu-img info`: formats.md 5.6."""

import io
import json

import pytest

from forensics import scan_records
from forensics.loaders._reader import Origin
from forensics.loaders._registry import pick
from forensics.records import DiskImage
from tests.loaders.documents._accounts import read
from tests.loaders.documents._picked import picked, rejects, rows

HASH = "7b4783508212f5d242cbf9ff56fb8d33b4ce6166"
BASE = f"/var/lib/nova/instances/_base/{HASH}_10"
PATH = "/var/lib/nova/instances/instance-00000e05/disk"
OLD = f"""\
image: {PATH}
file format: qcow2
virtual size: 10G (10737418240 bytes)
disk size: 1.2G
cluster_size: 65536
backing file: {BASE}
"""
DISK = {"path": PATH, "format": "qcow2", "backing_file": BASE, "image_hash": HASH, "virtual_bytes": 10_737_418_240,
        "disk_bytes": 1_288_490_189, "instance_name": "instance-00000e05"}  # fmt: skip
NEW = f"""\
image: {PATH}
file format: qcow2
virtual size: 10 GiB (10737418240 bytes)
disk size: 1.2 GiB
cluster_size: 65536
backing file: {BASE} (actual path: {BASE})
backing file format: raw
Snapshot list:
ID        TAG               VM SIZE                DATE     VM CLOCK     ICOUNT
1         snap1                 0 B 2026-11-22 17:24:07 00:00:00.000          0
Format specific information:
    compat: 1.1
    lazy refcounts: false
Child node '/file':
    filename: {PATH}
    protocol type: file
    file length: 1.2 GiB (1288503296 bytes)
    disk size: 9 GiB
"""
RAW = f"image: {BASE}\nfile format: raw\nvirtual size: 2.2G (2361393152 bytes)\ndisk size: unavailable\n"


@pytest.mark.parametrize(("text", "more"), [(OLD, {}), (NEW, {"backing_format": "raw"})])
def test_a_disk_and_what_it_is_backed_by(text: str, more: dict) -> None:
    assert picked(text) == "qemu-img"
    assert rejects(text) == []
    assert rows(text, DiskImage) == [DISK | more]


def test_several_one_after_the_other() -> None:
    base = {"path": BASE, "format": "raw", "virtual_bytes": 2_361_393_152}
    for text in (OLD + RAW + NEW, f"{OLD}\n{RAW}\n{NEW}"):
        assert rows(text, DiskImage) == [DISK, base, DISK | {"backing_format": "raw"}]
        assert rejects(text) == []


@pytest.mark.parametrize("indent", [None, 4])
@pytest.mark.parametrize("chain", [False, True])
def test_json(indent: int | None, chain: bool) -> None:
    disk = {
        "virtual-size": 10_737_418_240, "filename": PATH, "cluster-size": 65_536, "format": "qcow2",
        "actual-size": 1_288_490_189,
        "full-backing-filename": BASE, "backing-filename": f"../_base/{HASH}_10", "backing-filename-format": "raw",
        "children": [{"name": "file", "info": {"filename": PATH, "virtual-size": 1, "format": "file"}}],
        "dirty-flag": False,
    }  # fmt: skip
    base = {"virtual-size": 2_361_393_152, "filename": BASE, "format": "raw"}
    text = json.dumps([disk, base], indent=indent) if chain else json.dumps(disk, indent=indent)
    assert picked(text) == "qemu-img-json"
    assert rejects(text) == []
    told = [DISK | {"backing_format": "raw"}, {"path": BASE, "format": "raw", "virtual_bytes": 2_361_393_152}]
    assert rows(text, DiskImage) == told[: 1 + chain]


def test_a_backing_file_that_is_gone() -> None:  # formats.md 5.6
    why = f"Could not open backing file: Could not open '{BASE}': No such file or directory"
    text = f"qemu-img: Could not open '{PATH}': {why}\n"
    assert picked(text) == "qemu-img"
    wanted = {
        "path": PATH,
        "backing_file": BASE,
        "image_hash": HASH,
        "instance_name": "instance-00000e05",
        "error": why,
    }
    assert rows(text + OLD, DiskImage) == [wanted, DISK]
    assert rejects(text + OLD) == []


def test_names_of_files_are_those_of_the_folder_and_instance() -> None:
    uuid = "7e1f0a52-0c3a-4a1c-9d3e-2b1a0c9d8e7f"
    text = OLD.replace(PATH, "disk").encode()
    reader = pick(text, "$ qemu-img info disk")
    assert reader is not None
    row = read(reader, text, Origin("x", directory=f"/var/lib/nova/instances/{uuid}")).of(DiskImage).row(0, named=True)
    assert (row["path"], row["instance"]) == (f"/var/lib/nova/instances/{uuid}/disk", uuid)
    rbd = OLD.replace(PATH, "rbd:vms/x_disk").encode()
    assert read(reader, rbd, Origin("x", directory="/root")).of(DiskImage)["path"].to_list() == ["rbd:vms/x_disk"]


@pytest.mark.parametrize("text", ["image: cat.jpg\nsize: 3\n", '{"filename": "x"}\n', "qemu-img: error\n"])
def test_false_friends(text: str) -> None:
    assert not (picked(text) or "").startswith("qemu-img")


def test_hostile_sizes() -> None:
    text = OLD + "disk size: " + "9" * 100_000 + "\nvirtual size: " + "9" * 300 + "E\nimage: " + "/" * 100_000 + "\n"
    assert rows(text, DiskImage)[0] == DISK
    assert len(rows(OLD * 5_000, DiskImage)) == 5_000


def test_a_missing_file_below_the_one_that_was_asked_for() -> None:
    """formats.md 5.6: qemu names the file that is missing; the command named the disk."""
    base = "/var/lib/nova/instances/_base/7aaf39615af6d40ab43fba843830fa21a47f9877_10"
    disk = "/var/lib/nova/instances/instance-0000000e/disk"
    text = (
        f"root@cc1:~# qemu-img info --backing-chain {disk}\n"
        f"qemu-img: Could not open '{base}': Could not open '{base}': No such file or directory\n"
    )
    (row,) = scan_records(io.BytesIO(text.encode()), DiskImage).collect().iter_rows(named=True)
    assert (row["path"], row["backing_file"], row["instance_name"]) == (disk, base, "instance-0000000e")
    assert row["image_hash"] == "7aaf39615af6d40ab43fba843830fa21a47f9877"
    assert "No such file" in row["error"]
