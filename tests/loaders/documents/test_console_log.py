"""Consoles of instances as files of the evidence: their size, whatever they hold (R06)."""

import gzip
import os
import subprocess
import sys
import time
from functools import partial
from pathlib import Path

import pytest
import zstandard

import forensics
from forensics.records import FileSize
from tests._system import PEAK_MIB

UUID = "7e9d3e11-3b2b-4bb6-9b1f-a7c6f0d7c0de"
INSTANCES = "cc12/var/lib/nova/instances"


def put(folder: Path, name: str, octets: bytes) -> None:
    (folder / name).parent.mkdir(parents=True, exist_ok=True)
    (folder / name).write_bytes(octets)
    os.utime(folder / name, (1_362_219_301, 1_362_219_301))


def test_octets_and_lines_of_every_console(tmp_path: Path) -> None:
    kernel = b"[    0.000000] Linux version 3.2.0\r\n\0\0\xff\x1b[1mlogin:\n"
    stamped = b"2013-03-02 10:15:01,123 - util.py[WARNING]: failed to run\n" * 40 + b"no end"
    put(tmp_path, f"{INSTANCES}/instance-00000e05/console.log", kernel * 1000)
    put(tmp_path, f"{INSTANCES}/{UUID}/console.log", stamped)
    put(tmp_path, f"{INSTANCES}/{UUID}/console.log.0.gz", gzip.compress(kernel))
    put(tmp_path, f"{INSTANCES}/{UUID}/libvirt.xml", b"<domain/>")
    put(tmp_path, "cc12/var/log/console.log", stamped)
    put(tmp_path, f"{INSTANCES}/instance-00000e06/console.log", b"")
    case = forensics.open_case(tmp_path, out=tmp_path.with_name("x.case"), workers=1)
    sizes = case.records(FileSize).collect()
    assert sizes.select("host", "path", "instance", "instance_name", "size_bytes", "lines", "kind").rows() == [
        ("cc12", f"/var/lib/nova/instances/{UUID}/console.log", UUID, None, len(stamped), 40, "file"),
        ("cc12", f"/var/lib/nova/instances/{UUID}/console.log.0.gz", UUID, None, len(kernel), 2, "file"),
        ("cc12", "/var/lib/nova/instances/instance-00000e05/console.log", None, "instance-00000e05", 1000 * len(kernel),
         2000, "file"),
    ]  # fmt: skip
    formats = dict(case.sources.select("source", "format").rows())
    assert formats["cc12/var/log/console.log"] == "cloud-init"
    assert case.log_records.collect()["source"].unique().to_list() == ["cc12/var/log/console.log"]


def test_the_file_itself_tells_how_large_a_flood_was(tmp_path: Path) -> None:
    """A request for the console in the log of nova-api, its answer's size, and the file; nobody typed `wc`."""
    line = b"counter that never ends, and nobody who would stop it\n"
    put(tmp_path, f"{INSTANCES}/{UUID}/console.log", line * 400_000)
    asked, got = [], []
    for n in range(6):
        by = f"[req-8b6a3b5c-0b3c-4d5e-9f6a-{n:012d} a b]"
        got.append(
            f'2013-03-02 10:1{n}:01.123 2345 INFO nova.osapi_compute.wsgi.server {by} 10.0.0.9 "POST '
            f'/v2/a/servers/{UUID}/action HTTP/1.1" status: 200 len: {400_000 * len(line)} time: 9.1\n'
        )
        asked.append(
            f"2013-03-02 10:1{n}:00.123 2345 AUDIT nova.compute.manager {by} [instance: {UUID}] Get console output\n"
        )
    put(tmp_path, "cc12/var/log/nova/nova-compute.log", "".join(asked).encode())
    put(tmp_path, "api/var/log/nova/nova-api.log", "".join(got).encode())
    case = forensics.open_case(tmp_path, out=tmp_path.with_name("x.case"), workers=1)
    (flood,) = [one for one in case.findings if one.kind == "console-log-flood"]
    assert flood.facts["console_lines"] == 400_000
    assert flood.facts["console_bytes"] == 400_000 * len(line)


READ = f"""
import sys
import forensics
from forensics.records import FileSize
{PEAK_MIB}
case = forensics.open_case(sys.argv[1], out=sys.argv[2], workers=1)
print(case.records(FileSize).collect()["lines"].to_list(), peak_mib())
"""


@pytest.mark.slow
@pytest.mark.timeout(3600)
@pytest.mark.parametrize("packed", ["", ".gz", ".zst"])
def test_ninety_million_lines(tmp_path: Path, packed: str) -> None:
    """5.5 GB: one line again and again, a counter, random letters."""
    lines = 92_890_453
    place = tmp_path / "evidence" / INSTANCES / "instance-00000e05"
    place.mkdir(parents=True)
    path = place / f"console.log{packed}"
    third = lines // 3
    with {"": open, ".gz": partial(gzip.open, compresslevel=1), ".zst": zstandard.open}[packed](path, "wb") as file:
        for at in range(0, third, 10_000):
            file.write(b"Loading, please wait. Begin: mounting the root file system\n" * min(10_000, third - at))
        for at in range(third, 2 * third, 10_000):
            file.write(b"".join(b"counter %050d\n" % n for n in range(at, min(at + 10_000, 2 * third))))
        left = lines - 2 * third
        while left:
            some = min(left, 10_000)
            file.write(os.urandom(28 * some).hex("\n", -28).encode() + b"\n")
            left -= some
    began = time.monotonic()
    command = [sys.executable, "-P", "-c", READ, str(tmp_path / "evidence"), str(tmp_path / "x.case")]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    told, peak = done.stdout.rsplit(maxsplit=1)
    print(f"{packed or 'plain'}: {time.monotonic() - began:.0f} s, {peak} MiB")
    assert told == f"[{lines}]"
    assert int(peak) < 1024
