"""How fast notifications as JSON lines become records, against readers that only parse JSON.

The lines are like those of a StackTach worker: one to two kilobytes each, nested. One in ten thousand is cut off; every
reader that gives up at such a line gets the lines without. Runs alternate, each in a process of its own.
"""

import argparse
import json
import random
import resource
import subprocess
import sys
import tempfile
import time
import uuid
from datetime import UTC, datetime, timedelta
from pathlib import Path

import polars as pl

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

EVENTS = (
    *("compute.instance.create.start", "compute.instance.create.end", "compute.instance.delete.end"),
    *("compute.instance.exists", "compute.instance.update", "compute.instance.reboot.end"),
    *("scheduler.run_instance.scheduled", "image.upload", "image.delete"),
)
_TOP = ("message_id", "event_type", "publisher_id", "timestamp", "priority", "_context_request_id")
_INNER = ("instance_id", "tenant_id", "user_id", "state", "host", "created_at", "launched_at", "display_name")
_SCHEMA = dict.fromkeys(_TOP, pl.String) | {"payload": pl.Struct(dict.fromkeys(_INNER, pl.String))}


def write(path: Path, mebibytes: int, seed: int = 3) -> int:
    """Write the lines; returns how many are cut off."""
    rng = random.Random(seed)

    def ident() -> str:
        return str(uuid.UUID(int=rng.getrandbits(128)))

    instances = [(ident(), ident(), ident(), ident(), f"cc{rng.randrange(16):02d}") for _ in range(3000)]
    begin, number, size, cut = datetime(2012, 12, 19, 10, tzinfo=UTC).replace(tzinfo=None), 0, 0, 0
    with path.open("w") as file:
        while size < mebibytes << 20:
            instance, tenant, user, image, host = rng.choice(instances)
            at, event = begin + timedelta(seconds=number * 0.37), rng.choice(EVENTS)
            payload = {
                "state_description": "", "availability_zone": None, "terminated_at": "", "ephemeral_gb": 0,
                "instance_type_id": rng.randrange(9), "bandwidth": {}, "deleted_at": "", "instance_id": instance,
                "reservation_id": f"r-{ident()[:8]}", "user_id": user, "hostname": f"vm-{rng.randrange(9999)}",
                "state": rng.choice(["active", "building", "deleted", "error"]), "launched_at": str(at),
                "metadata": [], "node": host, "ramdisk_id": "", "disk_gb": 20, "kernel_id": "", "host": host,
                "display_name": "vm", "image_ref_url": f"http://10.0.0.1:9292/images/{image}", "root_gb": 20,
                "tenant_id": tenant, "created_at": str(at), "memory_mb": rng.choice([512, 2048]), "vcpus": 1,
                "instance_type": rng.choice(["m1.tiny", "m1.small"]), "architecture": None, "os_type": None,
                "image_meta": {"base_image_ref": image, "min_ram": "0", "disk_format": "qcow2"},
                "fixed_ips": [
                    {"floating_ips": [], "label": "novanetwork", "version": 4, "meta": {}, "type": "fixed",
                     "address": f"10.1.{rng.randrange(256)}.{rng.randrange(256)}"}
                    for _ in range(rng.randrange(3))
                ],
            }  # fmt: skip
            if rng.random() < 0.02:
                payload["exception"] = {"kwargs": {"code": 500}, "message": 'Error \u2014 "no valid host"'}
            line = json.dumps({
                "message_id": ident(), "event_type": event, "publisher_id": f"compute.{host}", "timestamp": str(at),
                "priority": "ERROR" if "exception" in payload else "INFO", "_unique_id": ident(),
                "_context_request_id": f"req-{ident()}", "_context_user_id": user, "_context_project_id": tenant,
                "_context_roles": ["Member"], "_context_is_admin": False, "_context_auth_token": None,
                "_context_timestamp": at.isoformat(), "payload": payload,
            })  # fmt: skip
            number += 1
            if number % 10_000 == 0:
                line, cut = line[: len(line) // 2], cut + 1
            file.write(line + "\n")
            size += len(line) + 1
    return cut


def ours(path: Path) -> tuple[int, int]:
    """Records and rejected lines, with every column of `Notification`."""
    from forensics.evidence import open_stream, walk
    from forensics.loaders._reader import Origin
    from forensics.loaders.documents.notifications import READERS
    from forensics.records import Notification

    rows = rejects = 0
    for file in walk(path):
        with open_stream(file) as stream:
            for batch in READERS[0].batches(stream, Origin(file.source)):
                rows += batch.rows[Notification].height if Notification in batch.rows else 0
                rejects += sum(stretch.kind == "reject" for stretch in batch.stretches)
    return rows, rejects


def parse(path: Path) -> tuple[int, int]:
    """Each line by Python's json, and nothing made of it."""
    rows = rejects = 0
    with path.open("rb") as file:
        for line in file:
            try:
                json.loads(line)
            except ValueError:
                rejects += 1
            else:
                rows += 1
    return rows, rejects


def explicit(path: Path) -> tuple[int, int]:
    """Fourteen fields by polars with a schema, in one go, of the lines that are whole."""
    whole = b"".join(line for line in path.read_bytes().splitlines(keepends=True) if line.endswith(b"}\n"))
    return pl.read_ndjson(whole, schema=_SCHEMA, ignore_errors=True).height, 0


READ = {"ours": ours, "json, parsed only": parse, "polars, 14 fields": explicit}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--mib", type=int, default=256)
    parser.add_argument("--file", type=Path, help="what a run before wrote; made afresh where not given")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--run", choices=READ, help=argparse.SUPPRESS)
    chosen = parser.parse_args()
    if chosen.run:
        with tempfile.TemporaryDirectory() as scratch:
            (Path(scratch) / "few").write_bytes(chosen.file.open("rb").read(1 << 16))
            READ[chosen.run](Path(scratch) / "few")  # imports are not what is measured
        begin, cpu = time.perf_counter(), time.process_time()
        rows, rejects = READ[chosen.run](chosen.file)
        wall, cpu = time.perf_counter() - begin, time.process_time() - cpu
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss >> 10
        print(json.dumps({"wall_s": wall, "cpu_s": cpu, "rows": rows, "rejects": rejects, "resident_mib": peak}))
        return
    with tempfile.TemporaryDirectory() as scratch:
        path = chosen.file or Path(scratch) / "events.json"
        if chosen.file is None:
            print(f"{write(path, chosen.mib)} lines are cut off")
        size = path.stat().st_size / 2**20
        results: dict[str, list[dict[str, float]]] = {name: [] for name in READ}
        for _ in range(chosen.rounds):
            for name, found in results.items():
                argv = [sys.executable, __file__, "--run", name, "--file", str(path)]
                found.append(json.loads(subprocess.run(argv, capture_output=True, text=True, check=True).stdout))
        for name, found in results.items():
            wall, cpu = (min(one[figure] for one in found) for figure in ("wall_s", "cpu_s"))
            told = found[0]
            print(f"{name:18} {wall:7.2f} s wall {cpu:7.2f} s CPU {size / wall:5.0f} MiB/s {size / cpu:5.0f} MiB/CPU s "
                  f"{told['rows']} rows, {told['rejects']} rejects, {told['resident_mib']} MiB resident")  # fmt: skip


if __name__ == "__main__":
    main()
