"""How fast logs become records, against what a careful person would write with `re` in an afternoon.

Both build the same typed frame from the same tree: stamps as UTC instants, process as a number, tracebacks joined to
their record, byte ranges. Runs alternate, in processes of their own; the smallest of each counts, with its CPU time.
"""

import argparse
import json
import re
import resource
import subprocess
import sys
import tempfile
import time
from datetime import UTC, datetime
from pathlib import Path

import polars as pl

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

OUTER = re.compile(
    r"^([A-Z][a-z]{2}) ([ \d]\d) (\d\d):(\d\d):(\d\d) (\S+) "
    r"(?:(\d{4}-\d\d-\d\d \d\d:\d\d:\d\d)(?:\.(\d{3}))? (?:(\d+) )?([A-Z]+) (\S+) \[(?:-|(req-\S+) (\S+) (\S+))\] "
    r"(?:\[instance: ([0-9a-f-]{36})\] )?(.*)|([^\s:\[]+)(?:\[(\d+)\])?: (.*))$"
)
MONTHS = {time.strftime("%b", (2012, number, 1, 0, 0, 0, 0, 1, 0)): number for number in range(1, 13)}
SCHEMA = {
    "ts": pl.Int64,
    "host": pl.String,
    "source": pl.String,
    "position": pl.Int64,
    "offset_bytes": pl.Int64,
    "length_bytes": pl.Int64,
    "program": pl.String,
    "pid": pl.Int64,
    "severity": pl.String,
    "logger": pl.String,
    "request_id": pl.String,
    "user_id": pl.String,
    "project_id": pl.String,
    "instance": pl.String,
    "message": pl.String,
    "n_lines": pl.UInt32,
    "outer_at": pl.Int64,
}
COMMON = tuple(SCHEMA)


def peer(path: Path) -> pl.DataFrame:
    """One file, with a loop over its lines; stamps are kept in a dictionary, because most repeat."""
    rows: list[list[object]] = []
    seconds: dict[str, int] = {}

    def second(text: str) -> int:
        known = seconds.get(text)
        if known is None:
            known = int(datetime.strptime(text, "%Y-%m-%d %H:%M:%S").replace(tzinfo=UTC).timestamp())
            seconds[text] = known
        return known

    offset = 0
    match = OUTER.match
    with path.open("rb") as file:
        for position, line in enumerate(file, 1):
            text = line.rstrip(b"\r\n").decode("utf-8", "backslashreplace")
            found = match(text)
            if found is None:
                if rows:
                    row = rows[-1]
                    row[14] = f"{row[14]}\n{text}"
                    row[15] += 1
                    row[5] += len(line)
            else:
                g = found.groups()
                if g[6] is not None:
                    ts = second(g[6]) * 10**9 + (int(g[7]) * 10**6 if g[7] else 0)
                    outer = second(f"{g[6][:4]}-{MONTHS[g[0]]:02d}-{int(g[1]):02d} {g[2]}:{g[3]}:{g[4]}") * 10**9
                    rows.append([ts, g[5], path.name, position, offset, len(line), None, int(g[8]) if g[8] else None,
                                 g[9], g[10], g[11], g[12], g[13], g[14], g[15], 1, outer])  # fmt: skip
                else:
                    ts = second(f"2012-{MONTHS[g[0]]:02d}-{int(g[1]):02d} {g[2]}:{g[3]}:{g[4]}") * 10**9
                    rows.append([ts, g[5], path.name, position, offset, len(line), g[16], int(g[17]) if g[17] else None,
                                 None, None, None, None, None, None, g[18], 1, None])  # fmt: skip
            offset += len(line)
    return pl.DataFrame(rows, schema=SCHEMA, orient="row")


def ours(path: Path) -> pl.DataFrame:
    """One file, by this package, with every column of `LogRecord`."""
    from forensics.loaders.log_files import scan_logs

    return scan_logs(str(path)).collect()


def _private_mebibytes() -> int:
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith("RssAnon"):
            return int(line.split()[1]) // 1024
    return 0


def run(which: str, tree: Path) -> dict[str, float]:
    """Read the whole tree, file after file; records are counted and dropped, as the case drops them once stored."""
    read = {"peer": peer, "ours": ours}[which]
    if which == "ours":
        from forensics.loaders.log_files import scan_logs

        scan_logs(str(next(tree.glob("*/syslog")))).head(1).collect()  # imports are not what is measured
    records, private = 0, 0
    begin, cpu = time.perf_counter(), time.process_time()
    for path in sorted(tree.glob("*/*")):
        frame = read(path)
        records += frame.height
        private = max(private, _private_mebibytes())
        del frame
    return {
        "wall_s": time.perf_counter() - begin,
        "cpu_s": time.process_time() - cpu,
        "records": records,
        "private_mib": private,
        "rss_mib": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss >> 10,
    }


def stream(tree: Path) -> dict[str, float]:
    """Read the whole tree as a case does: batch after batch, nothing kept."""
    from forensics.evidence import open_stream, walk
    from forensics.loaders._reader import Origin
    from forensics.loaders.lines._reader import batches
    from forensics.records import LogRecord

    records, private = 0, 0
    begin, cpu = time.perf_counter(), time.process_time()
    for file in walk(tree):
        with open_stream(file) as source:
            for batch in batches(source, Origin(file.source, modified_ns=file.modified_ns)):
                records += batch.rows[LogRecord].height
                private = max(private, _private_mebibytes())
    return {
        "wall_s": time.perf_counter() - begin,
        "cpu_s": time.process_time() - cpu,
        "records": records,
        "private_mib": private,
        "rss_mib": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss >> 10,
    }


def same(tree: Path) -> int:
    """Rows that differ between the two, over one file of each kind; 0 is what is wanted."""
    different = 0
    for path in sorted(tree.glob("*/*"))[:4]:
        mine = ours(path).with_columns(pl.col("ts", "outer_at").dt.epoch("ns")).select(COMMON).drop("source")
        theirs = peer(path).drop("source")
        both = pl.concat([mine.select(pl.struct(pl.all()).alias("a")), theirs.select(pl.struct(pl.all()).alias("b"))],
                         how="horizontal")  # fmt: skip
        different += both.filter(pl.col("a") != pl.col("b")).height + abs(mine.height - theirs.height)
    return different


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--mib", type=int, default=1024)
    parser.add_argument("--tree", type=Path, help="a tree that gen_logs.py wrote; made afresh where not given")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--run", choices=["peer", "ours", "stream"], help=argparse.SUPPRESS)
    chosen = parser.parse_args()
    if chosen.run:
        print(json.dumps(stream(chosen.tree) if chosen.run == "stream" else run(chosen.run, chosen.tree)))
        return
    with tempfile.TemporaryDirectory() as scratch:
        tree = chosen.tree
        if tree is None:
            from benchmarks.gen_logs import write

            tree = Path(scratch) / "tree"
            write(tree, chosen.mib)
        size = sum(path.stat().st_size for path in tree.glob("*/*")) / 2**20
        print(f"{size:.0f} MiB, rows that differ between the two: {same(tree)}")
        results: dict[str, list[dict[str, float]]] = {"peer": [], "ours": [], "stream": []}
        for _ in range(chosen.rounds):
            for which, found in results.items():
                command = [sys.executable, __file__, "--run", which, "--tree", str(tree)]
                found.append(json.loads(subprocess.run(command, capture_output=True, text=True, check=True).stdout))
        for which, found in results.items():
            best = min(found, key=lambda result: result["wall_s"])
            print(f"{which:7} {best['wall_s']:7.2f} s wall  {min(r['cpu_s'] for r in found):7.2f} s CPU  "
                  f"{size / best['wall_s']:6.0f} MiB/s  {best['records']} records  private {best['private_mib']} MiB, "
                  f"all {best['rss_mib']} MiB")  # fmt: skip
        for figure in ("wall_s", "cpu_s"):
            ratios = sorted(
                slow[figure] / fast[figure] for slow, fast in zip(results["peer"], results["ours"], strict=True)
            )
            print(f"times as fast ({figure}): {', '.join(f'{ratio:.2f}' for ratio in ratios)}")


if __name__ == "__main__":
    main()
