"""How fast logs become records: against tools that only count lines, and against what a careful person would write.

All take the same tree. `rg -c` looks for the lines that begin with a header; the pipelines build typed frames with
tracebacks joined: one regular expression with groups in polars, and a loop over Python's `re`. Runs alternate, each
in a process of its own; CPU seconds are the figures to compare where the machine has other work.
"""

import argparse
import json
import os
import re
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from datetime import UTC, datetime
from pathlib import Path

import polars as pl

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

HEADER = (
    r"^[A-Z][a-z]{2} [ \d]\d \d\d:\d\d:\d\d \S+ "
    r"(\d{4}-\d\d-\d\d \d\d:\d\d:\d\d(\.\d{3})? (\d+ )?[A-Z]+ \S+ \[|[^\s:\[]+(\[\d+\])?:)"
)
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


def loop(path: Path) -> pl.DataFrame:
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


def pipeline(path: Path) -> pl.DataFrame:
    """One file, with one regular expression in polars: groups, types, continuation lines joined."""
    lines = pl.scan_lines(path)
    found = lines.with_columns(pl.col("line").str.extract_groups(OUTER.pattern).alias("g"))
    found = found.with_columns(record=pl.col("g").struct.field("1").is_not_null().cum_sum())
    g = {number: pl.col("g").struct.field(str(number)) for number in range(1, 20)}
    inner = g[7] + pl.concat_str(pl.lit("."), g[8].fill_null("0"))
    outer = pl.concat_str(pl.lit("2012 "), g[1], pl.lit(" "), g[2], pl.lit(" "), g[3], g[4], g[5])
    heads = found.filter(g[1].is_not_null()).select(
        "record",
        outer.str.to_datetime("%Y %b %e %H%M%S", time_unit="ns", strict=False).alias("outer_at"),
        inner.str.to_datetime("%Y-%m-%d %H:%M:%S%.f", time_unit="ns", strict=False).alias("ts"),
        g[6].alias("host"),
        pl.coalesce(g[9], g[18]).cast(pl.Int64).alias("pid"),
        *(g[number].alias(name) for number, name in enumerate(
            ("severity", "logger", "request_id", "user_id", "project_id", "instance"), 10)),
        g[17].alias("program"),
        pl.coalesce(g[16], g[19]).alias("message"),
    )  # fmt: skip
    rest = found.filter(g[1].is_null()).group_by("record").agg(pl.col("line").str.join("\n").alias("more"))
    joined = heads.join(rest, on="record", how="left", maintain_order="left")
    said = pl.concat_str("message", "more", separator="\n", ignore_nulls=True)
    return joined.with_columns(message=said).drop("more", "record").collect(engine="streaming")


def ours(path: Path) -> pl.DataFrame:
    """One file, by this package, with every column of `LogRecord`."""
    from forensics.loaders.log_files import scan_logs

    return scan_logs(str(path)).collect()


READ = {"compiled": ours, "reference": ours, "pipeline": pipeline, "loop": loop}
"""Each gives a frame for a file."""


def _private_mebibytes() -> int:
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith("RssAnon"):
            return int(line.split()[1]) // 1024
    return 0


def run(which: str, tree: Path) -> dict[str, float]:
    """Read the whole tree, file after file; records are counted and dropped, as the case drops them once stored."""
    if which == "streamed":
        return stream(tree)
    read = READ[which]
    read(next(tree.glob("*/syslog")))  # imports are not what is measured
    records, private = 0, 0
    begin, cpu = time.perf_counter(), time.process_time()
    for path in sorted(tree.glob("*/*")):
        frame = read(path)
        records += frame.height
        private = max(private, _private_mebibytes())
        del frame
    return _figures(begin, cpu, records, private)


def stream(tree: Path) -> dict[str, float]:
    """Read the whole tree as a case does: batch after batch, nothing kept."""
    from forensics.evidence import open_stream, walk
    from forensics.loaders._reader import Origin
    from forensics.loaders.lines._reader import batches
    from forensics.records import LogRecord

    ours(next(tree.glob("*/syslog")))  # imports are not what is measured
    records, private = 0, 0
    begin, cpu = time.perf_counter(), time.process_time()
    for file in walk(tree):
        with open_stream(file) as source:
            for batch in batches(source, Origin(file.source, modified_ns=file.modified_ns)):
                records += batch.rows[LogRecord].height
                private = max(private, _private_mebibytes())
    return _figures(begin, cpu, records, private)


def _figures(begin: float, cpu: float, records: int, private: int) -> dict[str, float]:
    return {
        "wall_s": time.perf_counter() - begin,
        "cpu_s": time.process_time() - cpu,
        "records": records,
        "private_mib": private,
    }


def same(tree: Path) -> int:
    """Rows that differ from those of the loop, over one file of each kind; 0 is what is wanted."""
    different = 0
    for path in sorted(tree.glob("*/*"))[:4]:
        mine = ours(path).with_columns(pl.col("ts", "outer_at").dt.epoch("ns")).select(COMMON).drop("source")
        theirs = loop(path).drop("source")
        both = pl.concat([mine.select(pl.struct(pl.all()).alias("a")), theirs.select(pl.struct(pl.all()).alias("b"))],
                         how="horizontal")  # fmt: skip
        different += both.filter(pl.col("a") != pl.col("b")).height + abs(mine.height - theirs.height)
    return different


def commands(tree: Path) -> dict[str, tuple[list[str], dict[str, str]]]:
    """What is measured, by name: its command line and environment."""
    found: dict[str, tuple[list[str], dict[str, str]]] = {}
    files = [str(path) for path in sorted(tree.glob("*/*"))]
    for name, argv in (
        ("wc -l", ["wc", "-l", *files]),
        ("rg -c, stamps", ["rg", "-c", HEADER.partition(r" \S+ (")[0], *files]),
        ("rg -c, headers", ["rg", "-c", HEADER, *files]),
        ("lnav, count", ["lnav", "-n", "-c", ";select count(*) from all_logs", *files]),
    ):
        if shutil.which(argv[0]):
            found[name] = argv, {}
    for name in ("compiled", "streamed", "reference", "pipeline", "loop"):
        engine = {"FORENSICS_ENGINE": "reference" if name == "reference" else "compiled"}
        found[name] = [sys.executable, __file__, "--run", name, "--tree", str(tree)], engine
    return found


def measured(argv: list[str], environment: dict[str, str]) -> dict[str, float]:
    """One process: its own account of itself if it gives one, and what it took as a whole."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    begin = time.perf_counter()
    done = subprocess.run(argv, capture_output=True, text=True, check=True, env=os.environ | environment)
    wall = time.perf_counter() - begin
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    told = json.loads(done.stdout) if "--run" in argv else {"wall_s": wall, "cpu_s": cpu}
    return told | {"whole_wall_s": wall, "whole_cpu_s": cpu}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--mib", type=int, default=1024)
    parser.add_argument("--tree", type=Path, help="a tree that gen_logs.py wrote; made afresh where not given")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--run", choices=[*READ, "streamed"], help=argparse.SUPPRESS)
    chosen = parser.parse_args()
    if chosen.run:
        print(json.dumps(run(chosen.run, chosen.tree)))
        return
    with tempfile.TemporaryDirectory() as scratch:
        tree = chosen.tree
        if tree is None:
            from benchmarks.gen_logs import write

            tree = Path(scratch) / "tree"
            write(tree, chosen.mib)
        size = sum(path.stat().st_size for path in tree.glob("*/*")) / 2**20
        print(f"{size:.0f} MiB, rows that differ from those of the loop: {same(tree)}")
        results: dict[str, list[dict[str, float]]] = {name: [] for name in commands(tree)}
        for _ in range(chosen.rounds):
            for name, (argv, environment) in commands(tree).items():
                results[name].append(measured(argv, environment))
        report(results, size)


def report(results: dict[str, list[dict[str, float]]], size: float) -> None:
    """A table: the least of each, and how many times the CPU time of ours the others take."""
    least = {
        name: {figure: min(one.get(figure, 0) for one in found) for figure in found[0]}
        for name, found in results.items()
    }
    mine = least["compiled"]["cpu_s"]
    print("| command | wall s | CPU s | MiB per CPU s | : compiled | whole process, CPU s | private MiB | records |")
    print("|---|---|---|---|---|---|---|---|")
    for name, one in least.items():
        print(f"| {name} | {one['wall_s']:.2f} | {one['cpu_s']:.2f} | {size / one['cpu_s']:.0f} | "
              f"{one['cpu_s'] / mine:.2f} | {one['whole_cpu_s']:.2f} | {one.get('private_mib', 0):.0f} | "
              f"{one.get('records', 0):.0f} |")  # fmt: skip


if __name__ == "__main__":
    main()
