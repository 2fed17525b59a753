"""Peak memory of one process that reads one large file into its rows in Parquet, against the size of the file.

    python benchmarks/memory.py [--gib 2 20] [--forms capture log notifications dump console] [--scratch FOLDER]

Each file is a piece that repeats, so that making it costs nothing; the scratch folder needs room for the largest
file and its rows. Peaks are of anonymous pages: what the process has for itself, the files that it reads left out.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

import gen_logs
import gen_pcap
import notifications
from _measure import Command, machine, measure

RESULTS = Path(__file__).resolve().parent / "results"
READ = """
import os, sys
from pathlib import Path
from forensics.case._load import Job
from forensics.case._pool import load_all
from forensics.evidence import walk
from forensics.loaders._reader import Origin
(file,) = walk(Path(sys.argv[1]))
(outcome,) = load_all([Job(1, file, Origin(file.source, modified_ns=file.modified_ns), Path(sys.argv[2]))], 1)
assert outcome.rows
"""
DUMP = """\
-- MySQL dump 10.13  Distrib 5.5.29, for debian-linux-gnu (x86_64)
--
-- Host: localhost    Database: nova
-- ------------------------------------------------------
DROP TABLE IF EXISTS `instances`;
CREATE TABLE `instances` (
  `created_at` datetime DEFAULT NULL,
  `deleted_at` datetime DEFAULT NULL,
  `id` int(11) NOT NULL AUTO_INCREMENT,
  `vm_state` varchar(255) DEFAULT NULL,
  `host` varchar(255) DEFAULT NULL,
  `uuid` varchar(36) DEFAULT NULL,
  `deleted` int(11) DEFAULT NULL,
  PRIMARY KEY (`id`)
) ENGINE=InnoDB DEFAULT CHARSET=utf8;
LOCK TABLES `instances` WRITE;
"""


def capture(scratch: Path) -> tuple[bytes, bytes, bytes]:
    """Beginning, what repeats, end."""
    gen_pcap.write(scratch / "piece", 256)
    octets = (scratch / "piece").read_bytes()
    return octets[:24], octets[24:], b""


def log(scratch: Path) -> tuple[bytes, bytes, bytes]:
    """A day of nova-compute's log again and again."""
    gen_logs.write(scratch / "tree", 128, hosts=1)
    return b"", (scratch / "tree" / "node-c00" / "nova.log").read_bytes(), b""


def events(scratch: Path) -> tuple[bytes, bytes, bytes]:
    """Notifications, a line each."""
    notifications.write(scratch / "piece", 64)
    return b"", (scratch / "piece").read_bytes(), b""


def dump(_: Path) -> tuple[bytes, bytes, bytes]:
    """A table of instances, a thousand rows a statement."""
    rows = [
        f"('2013-02-1{n % 9} 10:00:0{n % 10}',NULL,{n},'active','cc{n % 16:02d}','{n:08x}-0000-4000-8000-{n:012x}',0)"
        for n in range(100_000)
    ]
    inserts = (
        f"INSERT INTO `instances` VALUES {','.join(rows[at : at + 1000])};\n" for at in range(0, len(rows), 1000)
    )
    return DUMP.encode(), "".join(inserts).encode(), b"UNLOCK TABLES;\n-- Dump completed on 2013-02-19 10:00:00\n"


def console(_: Path) -> tuple[bytes, bytes, bytes]:
    """What an instance wrote."""
    return b"", b"Loading, please wait. Begin: mounting the root file system\n" * 1_000_000, b""


FORMS: dict[str, tuple[str, Callable[[Path], tuple[bytes, bytes, bytes]]]] = {
    "capture": ("cc12/br100.pcap", capture),
    "log": ("cc12/var/log/nova/nova-compute.log", log),
    "notifications": ("events/notifications.json", events),
    "dump": ("db/nova.sql", dump),
    "console": ("cc12/var/lib/nova/instances/instance-00000e05/console.log", console),
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--gib", type=float, nargs="+", default=[2, 20], help="sizes")
    parser.add_argument("--forms", nargs="+", default=list(FORMS), choices=FORMS)
    parser.add_argument("--scratch", type=Path, help="folder for the files")
    told = parser.parse_args()
    rows = []
    with tempfile.TemporaryDirectory(dir=told.scratch) as name:
        for form in told.forms:
            place, make = FORMS[form]
            (Path(name) / "piece").mkdir()
            begin, piece, end = make(Path(name) / "piece")
            shutil.rmtree(Path(name) / "piece")
            path = Path(name) / "evidence" / place
            path.parent.mkdir(parents=True)
            path.write_bytes(begin)
            for gib in sorted(told.gib):
                with path.open("ab") as file:
                    while file.tell() < gib * 2**30:
                        file.write(piece)
                with path.open("ab") as file:
                    size = file.tell()
                    file.write(end)
                out = Path(name) / "rows"
                argv = [sys.executable, "-c", READ, str(Path(name) / "evidence"), str(out)]
                (figures,) = measure([Command(form, argv)], runs=1, warm_up=0)
                written = sum(part.stat().st_size for part in out.rglob("*") if part.is_file())
                shutil.rmtree(out, ignore_errors=True)
                os.truncate(path, size)
                rows.append(
                    {"form": form, "gib": size / 2**30, "wall_s": figures.wall_s, "cpu_s": figures.cpu_s,
                     "private_mib": figures.private_mib, "rows_gib": written / 2**30}
                )  # fmt: skip
                print(
                    f"| {form} | {size / 2**30:.1f} | {figures.wall_s:.0f} | {figures.cpu_s:.0f} | "
                    f"{figures.private_mib:.0f} | {written / 2**30:.2f} |", flush=True
                )  # fmt: skip
            shutil.rmtree(Path(name) / "evidence")
    (RESULTS / "memory.json").write_text(json.dumps({"machine": machine(), "figures": rows}, indent=1) + "\n")


if __name__ == "__main__":
    main()
