"""Sizes of files: ls, du, wc, find, stat, df (formats.md 9.2 to 9.4, appendix A12, A13)."""

import os
import subprocess
from pathlib import Path
from typing import Any

import pytest

from forensics.loaders.documents._figures import figure
from forensics.records import FileSize
from tests.loaders.documents._said import likeness, said

GIB = 1 << 30
INSTANCES = "/var/lib/nova/instances"
NOON = 1_360_929_600 * 10**9  # 2013-02-15 12:00 UTC


def ns(stamp: str) -> int:
    """Nanoseconds since 1970 of an ISO stamp in UTC."""
    from datetime import UTC, datetime

    return int(datetime.fromisoformat(stamp).replace(tzinfo=UTC).timestamp()) * 10**9


def modified(found: Any) -> list[int | None]:
    return [None if at is None else round(at.timestamp()) * 10**9 for at in found.of(FileSize, "modified_at")]


def test_lines_of_the_console_log() -> None:  # A12
    found = said(
        "wc", "92890453 console.log\n", command="wc -l console.log", directory=f"{INSTANCES}/instance-00000e05"
    )
    assert found.format == "wc"
    assert found.of(FileSize, "path", "lines", "instance_name", "kind", "tool", "size_bytes") == [
        (f"{INSTANCES}/instance-00000e05/console.log", 92_890_453, "instance-00000e05", "file", "wc", None)
    ]


def test_size_of_the_console_log() -> None:  # A13
    found = said("ls", "5.5G console.log\n", command="ls -sh console.log", directory=f"{INSTANCES}/instance-00000e05")
    ((path, low, high, allocated, size, name),) = found.of(
        FileSize, "path", "low_bytes", "high_bytes", "allocated_bytes", "size_bytes", "instance_name"
    )
    assert (path, name) == (f"{INSTANCES}/instance-00000e05/console.log", "instance-00000e05")
    assert (low, high) == (int(5.4 * GIB) + 1, int(5.5 * GIB))
    assert low <= allocated <= high
    assert size is None  # blocks are not the apparent size


def test_the_unit_alone_tells_ls_from_du_and_wc() -> None:
    assert likeness("ls", "5.5G console.log\n") > 0.8
    assert likeness("du", "5.5G\t/var/lib/nova\n") > 0.8
    for module in ("ls", "du", "wc", "find", "stat"):
        assert likeness(module, "92890453 console.log\n") == 0
        assert likeness(module, "92890453\t/var/lib/nova\n") == 0


@pytest.mark.parametrize(
    ("text", "low", "high"),
    [
        ("5.5G", int(5.4 * GIB) + 1, int(5.5 * GIB)),
        ("12K", 11 * 1024 + 1, 12 * 1024),
        ("10K", int(9.9 * 1024) + 1, 10 * 1024),
        ("4.0K", int(3.9 * 1024) + 1, 4096),
        ("512", 512, 512),
        ("0", 0, 0),
        ("92.9M", 97_360_282, 97_465_139),  # BusyBox: to the nearest tenth
    ],
)
def test_what_a_rounded_figure_allows(text: str, low: int, high: int) -> None:  # 9.2
    found = figure(text)
    assert found is not None
    assert (found.low, found.high) == (low, high)


LONG = f"""\
total 5767172
-rw-rw---- 1 libvirt-qemu kvm 5905580032 Feb 14 15:40 console.log
-rw-r--r-- 2 nova nova 10737418240 Dec 31 23:59 disk
drwxr-xr-x 2 nova nova 4096 Nov  2  2012 old dir
lrwxrwxrwx 1 root root 11 Feb  1 00:00 link -> console.log
brw-rw---- 1 root disk 253, 0 Feb  1 00:00 dm-0
-rw-r--r--. 1 nova nova 1 Feb 16 00:00 {"7b4783508212f5d242cbf9ff56fb8d33b4ce6166"}_10
ls: cannot access x: No such file or directory
"""


def test_a_long_listing_and_the_years_it_leaves_out() -> None:  # 9.2
    found = said("ls", LONG, directory=f"{INSTANCES}/instance-00000e05", taken_ns=NOON, taken_basis="command")
    assert (found.rejects, found.format) == ([], "ls")
    folder = f"{INSTANCES}/instance-00000e05/"
    assert [path.removeprefix(folder) for path in found.of(FileSize, "path")] == [
        "console.log", "disk", "old dir", "link", "dm-0", "7b4783508212f5d242cbf9ff56fb8d33b4ce6166_10",
    ]  # fmt: skip
    assert found.of(FileSize, "kind") == ["file", "file", "folder", "link", "other", "file"]
    assert found.of(FileSize, "size_bytes") == [5_905_580_032, 10_737_418_240, 4096, 11, None, 1]
    assert found.of(FileSize, "low_bytes")[0] == found.of(FileSize, "high_bytes")[0] == 5_905_580_032
    assert found.of(FileSize, "owner")[0] == "libvirt-qemu"
    assert found.of(FileSize, "links")[1] == 2
    assert found.of(FileSize, "target")[3] == "console.log"
    assert modified(found) == [
        ns("2013-02-14T15:40"), ns("2012-12-31T23:59"), ns("2012-11-02"), ns("2013-02-01"), ns("2013-02-01"),
        ns("2013-02-16"),  # the clock of the file server may be a little ahead
    ]  # fmt: skip
    assert set(found.of(FileSize, "instance_name")) == {"instance-00000e05"}
    assert found.facts["zone_basis"] == "assumed"


def test_dates_are_on_the_clock_of_the_host() -> None:
    line = "-rw-r--r-- 1 a b 1 Feb 14 15:40 x\n"
    found = said("ls", line, taken_ns=NOON, taken_basis="command", zone="America/Edmonton")
    assert modified(found) == [ns("2013-02-14T22:40")]
    assert found.facts == {"zone": "America/Edmonton", "zone_basis": "declared"}
    assert modified(said("ls", line)) == [None]  # nobody knows the year


@pytest.mark.parametrize(
    "date",
    [
        "2013-02-14 15:40",
        "2013-02-14 08:40:18.123456789 -0700",
        "Feb 14 15:40",
        "Feb 14 15:40:00 2013",
        "14. Feb 15:40",
        "14 févr. 15:40",
        "14 Feb 15:40",
        "02-14 15:40",
        "1360856400",
    ],
)
def test_forms_of_dates(date: str) -> None:  # 9.2
    found = said("ls", f"-rw-r--r-- 1 a b 1 {date} console.log\n", taken_ns=NOON, taken_basis="command")
    assert found.of(FileSize, "path") == ["console.log"]
    assert abs((modified(found)[0] or 0) - ns("2013-02-14T15:40")) < 30 * 10**9


def test_many_folders_blocks_and_inodes() -> None:  # 9.2: ls -lashRi
    text = (
        f"{INSTANCES}:\ntotal 8.0K\n1311 4.0K drwxr-xr-x 3 nova nova 4.0K Feb 14 15:40 .\n"
        f"1312 4.0K drwxr-xr-x 2 nova nova 4.0K Feb 14 15:40 _base\n\n"
        f"{INSTANCES}/_base:\ntotal 0\n1313 1.2G -rw-r--r-- 1 nova kvm  10G Feb 14 15:40 {'a' * 40}_10\n"
    )
    found = said("ls", text, command=f"ls -lashRi {INSTANCES}", taken_ns=NOON, taken_basis="command")
    assert found.rejects == []
    assert found.of(FileSize, "path", "inode") == [
        (INSTANCES, 1311), (f"{INSTANCES}/_base", 1312), (f"{INSTANCES}/_base/{'a' * 40}_10", 1313),
    ]  # fmt: skip
    (row,) = found.rows[FileSize].filter(inode=1313).to_dicts()
    assert row["image_hash"] == "a" * 40
    assert (row["size_bytes"], row["low_bytes"]) == (10 * GIB, int(9.9 * GIB) + 1)
    assert row["allocated_bytes"] == int(1.2 * GIB)


def test_names_alone_say_what_exists() -> None:
    found = said("ls", f"{'b' * 40}\n{'c' * 40}_10  locks\n", command="ls _base", directory=INSTANCES)
    assert found.of(FileSize, "path") == [
        f"{INSTANCES}/_base/{'b' * 40}", f"{INSTANCES}/_base/{'c' * 40}_10", f"{INSTANCES}/_base/locks",
    ]  # fmt: skip
    assert found.of(FileSize, "image_hash") == ["b" * 40, "c" * 40, None]


def test_names_of_collected_files_have_dots_for_slashes() -> None:
    source = "sosreport-cc12-20130215123456-abcd/sos_commands/openstack_nova/ls_-la_.var.lib.nova"
    found = said("ls", "total 4\n-rw-r--r-- 1 nova nova 12 Feb 14  2012 x\n", source)
    assert found.of(FileSize, "path") == ["/var/lib/nova/x"]


def test_instances_of_grizzly_are_named_by_uuid() -> None:
    uuid = "871e24ab-fc79-4dc9-8071-7b5dc1b50cd0"
    found = said("du", f"5.6G\t{INSTANCES}/{uuid}/console.log\n5.6G\t{INSTANCES}/{uuid}\n", command="du -ah")
    assert found.of(FileSize, "instance", "kind") == [(uuid, "unknown"), (uuid, "folder")]


@pytest.mark.parametrize(
    ("command", "text", "column", "size", "low"),
    [
        ("du -s console.log", "5767172\tconsole.log\n", "allocated_bytes", 5767172 * 1024, 5767172 * 1024),
        ("du -k console.log", "12\tconsole.log\n", "allocated_bytes", 12288, 12288),
        ("du -sb console.log", "12\tconsole.log\n", "size_bytes", 12, 12),
        ("du -m console.log", "12\tconsole.log\n", "allocated_bytes", 12 << 20, (11 << 20) + 1),
        ("du -B 4096 console.log", "3\tconsole.log\n", "allocated_bytes", 12288, 8193),
        ("du -h --apparent-size console.log", "12K\tconsole.log\n", "size_bytes", 12288, 11265),
        ("du -sh --time console.log", "12K\t2013-02-14 15:40\tconsole.log\n", "allocated_bytes", 12288, 11265),
    ],
)
def test_units_of_du(command: str, text: str, column: str, size: int, low: int) -> None:  # 9.2
    found = said("du", text, command=command, directory="/x")
    assert found.of(FileSize, "path", column, "low_bytes", "high_bytes") == [("/x/console.log", size, low, size)]


def test_a_total_is_no_file() -> None:
    found = said("du", "4.0K\ta\n4.0K\ttotal\n", command="du -ch a", directory="/x")
    assert found.of(FileSize, "path", "kind") == [("/x/a", "unknown"), ("total", "total")]
    found = said("wc", "  1  2  3 a\n 10 20 30 b\n 11 22 33 total\n", command="wc a b", directory="/x")
    assert found.of(FileSize, "path", "kind", "lines", "size_bytes") == [
        ("/x/a", "file", 1, 3), ("/x/b", "file", 10, 30), ("total", "total", 11, 33),
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("command", "text", "lines", "size"),
    [
        ("wc -c console.log", "12 console.log\n", None, 12),
        ("wc -l < console.log", "12\n", 12, None),
        ("wc --lines console.log", "12 console.log\n", 12, None),
        ("sudo wc -lc console.log", " 1 12 console.log\n", 1, 12),
    ],
)
def test_columns_of_wc(command: str, text: str, lines: int | None, size: int | None) -> None:  # 9.2
    found = said("wc", text, command=command, directory="/x")
    assert found.of(FileSize, "path", "lines", "size_bytes") == [("/x/console.log", lines, size)]


def test_find() -> None:  # 9.2
    text = (
        f"  1313 5767172 -rw-rw----   1 qemu kvm 5905580032 Feb 14 15:40 {INSTANCES}/instance-00000e05/console.log\n"
        f"  1314      4 -rw-r--r--   1 root root 12 Feb 14  2012 {INSTANCES}/with\\ blank\n"
        "find: `x': Permission denied\n"
    )
    found = said("find", text, taken_ns=NOON, taken_basis="command")
    assert (found.rejects, found.format) == ([], "find")
    assert found.of(FileSize, "inode", "size_bytes", "allocated_bytes") == [
        (1313, 5_905_580_032, 5767172 * 1024), (1314, 12, 4096),
    ]  # fmt: skip
    assert found.of(FileSize, "path")[1] == f"{INSTANCES}/with blank"
    command = r"find . -size +1G -printf '%s %T@ %u %y %p\n'"
    found = said("find", "12 1360856400.5 nova f ./a b\n", command=command, directory="/x")
    assert found.of(FileSize, "path", "size_bytes", "owner", "kind") == [("/x/a b", 12, "nova", "file")]
    assert found.rows[FileSize]["modified_at"][0].timestamp() == 1360856400.5
    assert likeness("find", "12 ./a\n") == 0
    assert said("find", "./a\n", command="find . -name a", directory="/x").of(FileSize, "path") == ["/x/a"]


STAT = """\
  File: `console.log'
  Size: 5905580032\tBlocks: 11534344   IO Block: 4096   regular file
Device: fc00h/64512d\tInode: 1313        Links: 1
Access: (0660/-rw-rw----)  Uid: (  107/libvirt-qemu)   Gid: (  113/     kvm)
Access: 2013-02-14 15:40:18.123456789 -0700
Modify: 2013-02-14 15:40:18.123456789 -0700
Change: 2013-02-14 15:40:18.123456789 -0700
 Birth: -
  File: /etc/localtime -> /usr/share/zoneinfo/UTC
  Size: 27        \tBlocks: 0          IO Block: 4096   symbolic link
Device: fe00h/65024d\tInode: 98          Links: 1
Access: (0777/lrwxrwxrwx)  Uid: (    0/    root)   Gid: (    0/    root)
Modify: 2013-02-14 15:40:18.000000000 +0000
"""


def test_stat() -> None:  # 9.2
    found = said("stat", STAT, directory="/x")
    assert (found.rejects, found.format) == ([], "stat")
    assert found.of(FileSize, "path", "size_bytes", "allocated_bytes", "inode", "owner", "kind", "target") == [
        ("/x/console.log", 5_905_580_032, 11534344 * 512, 1313, "libvirt-qemu", "file", None),
        ("/etc/localtime", 27, 0, 98, "root", "link", "/usr/share/zoneinfo/UTC"),
    ]
    at = found.rows[FileSize]["modified_at"].dt.epoch("ns").to_list()
    assert at[0] == ns("2013-02-14T22:40:18") + 123_456_789
    found = said("stat", "console.log 12 1360856400\n", command="stat -c '%n %s %Y' console.log", directory="/x")
    assert found.of(FileSize, "path", "size_bytes") == [("/x/console.log", 12)]
    assert modified(found) == [1360856400 * 10**9]
    assert likeness("stat", "console.log 12 1360856400\n") == 0


def test_df_tells_of_mounts() -> None:  # 9.2: long device names wrap
    text = (
        "Filesystem           1K-blocks      Used Available Use% Mounted on\n"
        "/dev/mapper/very-long-name-of-a-volume\n"
        "                      51606140  48984068         0 100% /var/lib/nova/instances\n"
        "tmpfs                  1024          0      1024   0% /run\n"
    )
    found = said("df", text)
    assert (found.rejects, found.format) == ([], "df")
    assert found.of(FileSize, "path", "kind", "size_bytes", "allocated_bytes", "instance") == [
        ("/var/lib/nova/instances", "mount", 51606140 * 1024, 48984068 * 1024, None),
        ("/run", "mount", 1024 * 1024, 0, None),
    ]
    assert said("df", "Filesystem Inodes IUsed IFree IUse% Mounted on\n/dev/vda 10 1 9 10% /\n").rows == {}


def test_hostile_lines_cost_little_and_lose_nothing() -> None:
    for line in ("-rw-r--r-- 1 " + "a " * 4000 + "1 Feb", "1K " * 3000, "File: " + " -> " * 3000, "9" * 9000 + "\tx"):
        for module in ("ls", "du", "find", "stat", "df"):
            likeness(module, line * 20)
            said(module, f"{line}\n" * 5)


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("2013-02-14 15:40:18 INFO nova [-] 5.5G console.log\n", "nova.log"),
        ("Feb 14 15:40:18 cc12 kernel: 4.0K x\n", "syslog"),
        ("1G of memory is used\nand more text\n", "notes.txt"),
        ("-rw-r--r-- nova/nova 12 2013-02-14 15:40 etc/nova.conf\n", "tar.txt"),
        ("vlan100        | 100  | vlan20\n", "config"),
    ],
)
def test_other_texts_are_left_alone(text: str, name: str) -> None:
    assert [module for module in ("ls", "du", "wc", "find", "stat", "df") if likeness(module, text, name)] == []


@pytest.mark.parametrize(
    "options", ["-l", "-la", "-lash", "-li", "-l --time-style=full-iso", "-s", "-sh", "-lh --si", "-1"]
)
def test_what_this_machine_lists(options: str, tmp_path: Path) -> None:
    """Rows against what the system itself says of each file."""
    for name, size in (("empty", 0), ("small one", 1), ("kilo", 1025), ("mega", 3_000_001)):
        (tmp_path / name).write_bytes(b"x" * size)
    (tmp_path / "folder").mkdir()
    environment = {**os.environ, "TZ": "UTC", "LC_ALL": "C"}
    command = f"ls {options}"
    printed = subprocess.run(command.split(), cwd=tmp_path, capture_output=True, env=environment, check=True).stdout
    newest = max(path.stat().st_mtime_ns for path in tmp_path.iterdir())
    found = said("ls", printed, command=command, directory=str(tmp_path), taken_ns=newest, taken_basis="command")
    assert found.rejects == []
    rows = {row["path"]: row for row in found.rows[FileSize].to_dicts()}
    assert {str(path) for path in tmp_path.iterdir()} <= set(rows)
    for path in tmp_path.iterdir():
        row, true = rows[str(path)], path.stat()
        if row["size_bytes"] is not None:
            assert row["low_bytes"] <= true.st_size <= row["high_bytes"]
        elif row["allocated_bytes"] is not None:
            assert row["low_bytes"] <= true.st_blocks * 512 <= row["high_bytes"]
        assert row["inode"] in (None, true.st_ino)
        if row["modified_at"] is not None:
            assert 0 <= true.st_mtime - row["modified_at"].timestamp() < 60
