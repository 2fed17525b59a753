# ruff: noqa: E501 - statements of SQL
"""A dump of a gigabyte, made by a real server: how fast it is read, in how much memory, and whether the counts agree.

Needs the Debian package mariadb-server; the dump is written to a folder of its own and removed at the end.
"""

import argparse
import json
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from tests.loaders.documents._mariadb import Server, server
from tests.loaders.documents._schemas import GRIZZLY, METADATA

TABLES = ("instances", "shadow_instances", "instance_system_metadata", "quotas", "stacktach_rawdata")
STACKTACH = """
CREATE TABLE stacktach_rawdata (id int AUTO_INCREMENT PRIMARY KEY, deployment_id int, json longtext,
  routing_key varchar(50), `when` decimal(20,6), event varchar(50), host varchar(100), instance varchar(50));
"""
BODY = """[\\"monitor.info\\", {\\"event_type\\": \\"compute.instance.exists\\", \\"message_id\\": \\"%s\\", \\"timestamp\\":
 \\"2014-01-14 15:39:22.5\\", \\"payload\\": {\\"instance_id\\": \\"%s\\", \\"display_name\\": \\"it''s \\\\\\\\n\\"}}]"""
LOAD = """
import json, sys, time
from pathlib import Path
from forensics.evidence import walk, open_stream
from forensics.loaders._reader import Origin
from forensics.loaders._registry import pick
file = next(iter(walk(Path(sys.argv[1]))))
rows, counts, started = {}, {}, time.perf_counter()
with open_stream(file) as stream:
    reader = pick(stream.peek(), file.source)
    for batch in reader.batches(stream, Origin(file.source)):
        for record, frame in batch.rows.items():
            rows[record.__name__] = rows.get(record.__name__, 0) + frame.height
            if record.__name__ == "RowCount":
                counts |= {f"{t}.{s}": n for t, s, n in frame.select("table", "state", "rows").rows()}
print(json.dumps({"seconds": time.perf_counter() - started, "rows": rows, "counts": counts}))
"""


def fill(running: Server, mib: int) -> None:
    """About as many MiB of rows, half of them in tables that are only counted."""
    instances, metadata, events = mib * 470, mib * 4_000, mib * 330
    running.client("CREATE DATABASE nova; USE nova;" + GRIZZLY + METADATA + STACKTACH)
    running.client(
        f"""INSERT INTO instances (created_at, deleted_at, user_id, project_id, image_ref, key_data, power_state, vm_state,
          memory_mb, hostname, host, uuid, display_name, launched_at, deleted) SELECT '2013-01-01' + INTERVAL seq MINUTE,
          IF(seq % 3, NULL, '2013-06-01'), MD5(seq), MD5(seq % 100), UUID(), REPEAT('AAAAB3Nz', 40), 1, IF(seq % 3, 'active',
          'deleted'), 2048, CONCAT('vm-', seq), CONCAT('cc', seq % 50), UUID(), CONCAT('it''s ', seq), NOW(), IF(seq % 3, 0, seq)
          FROM seq_1_to_{instances};
        CREATE TABLE shadow_instances SELECT * FROM instances WHERE id % 10 = 0;
        INSERT INTO instance_system_metadata (created_at, instance_uuid, `key`, value, deleted) SELECT '2013-01-01', UUID(),
          IF(seq % 10, 'instance_type_memory_mb', 'EC2_client_token'), MD5(seq), IF(seq % 4, 0, seq) FROM seq_1_to_{metadata};
        INSERT INTO quotas SELECT seq, 'co''res', seq FROM seq_1_to_{mib * 500};
        INSERT INTO stacktach_rawdata (deployment_id, json, routing_key, `when`, event, host, instance) SELECT 1,
          '{BODY % ("00000000-0000-4000-8000-000000000001", "00000000-0000-4000-8000-000000000002")}', 'monitor.info',
          1389713962.574829, 'compute.instance.exists', 'cc12', UUID() FROM seq_1_to_{events};""",
        database="nova",
    )


def watched(argv: list[str]) -> tuple[dict[str, object], float]:
    """What a process prints, and the peak of its private memory in MiB."""
    process = subprocess.Popen(argv, stdout=subprocess.PIPE)
    peak, ended = [0], threading.Event()

    def watch() -> None:
        while not ended.wait(0.01):
            try:
                told = Path(f"/proc/{process.pid}/status").read_text().splitlines()
            except OSError:
                return
            peak[0] = max([peak[0], *(int(line.split()[1]) for line in told if line.startswith("RssAnon"))])

    watcher = threading.Thread(target=watch)
    watcher.start()
    out, _ = process.communicate()
    ended.set()
    watcher.join()
    if process.returncode:
        raise SystemExit(f"loading failed: exit code {process.returncode}")
    return json.loads(out), peak[0] / 1024


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--mib", type=int, default=1024, help="about how large the dump is to be")
    wanted = parser.parse_args()
    folder = Path(tempfile.mkdtemp(prefix="forensics-dump"))
    try:
        with server() as running:
            fill(running, wanted.mib)
            path = folder / "nova.sql"
            started = time.perf_counter()
            path.write_bytes(b"")
            with path.open("wb") as file:
                running.dump("--single-transaction", "nova", into=file)
            dumped = time.perf_counter() - started
            said = {name: int(running.client(f"SELECT COUNT(*) FROM nova.{name}", "-BN")) for name in TABLES}
            dead = int(running.client("SELECT COUNT(*) FROM nova.instances WHERE deleted <> 0", "-BN"))
        size = path.stat().st_size / 2**20
        found, private = watched([sys.executable, "-c", LOAD, str(folder)])
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    seconds, counts = float(str(found["seconds"])), found["counts"]
    assert isinstance(counts, dict)
    print(f"dump: {size:.0f} MiB, made in {dumped:.1f} s")
    print(f"read: {seconds:.1f} s, {size / seconds:.0f} MiB/s, private peak {private:.0f} MiB; rows {found['rows']}")
    for name, count in said.items():
        print(f"{name:28} server {count:9d}   counted {counts[f'{name}.all']:9d}   {count == counts[f'{name}.all']}")
    print(f"{'instances, deleted':28} server {dead:9d}   counted {counts['instances.deleted']:9d}")
    if any(count != counts[f"{name}.all"] for name, count in said.items()) or dead != counts["instances.deleted"]:
        raise SystemExit("the counts differ")


if __name__ == "__main__":
    main()
