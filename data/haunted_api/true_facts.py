"""The truth file of one half, reckoned from what the servers and the workers did."""

from datetime import UTC, datetime
from statistics import median
from typing import Any

from _lab import AstrayError
from lines import Request, as_of, rank_correlation, slope

Truth = dict[str, Any]
SLOW, FAST = "havana-cloud", "grizzly-cloud"
FILES = {SLOW: "purge.txt", FAST: "row-counts.txt"}


def told(half: str, labs: dict[str, Any], database: dict[str, Any], clouds: dict[str, Any], factor: float) -> Truth:
    """What is true of a half."""
    runs = {name: [r for r in lab.requests if r.operation == "RunInstances"] for name, lab in labs.items()}
    counts = [(at, counted["instances"]) for at, counted in labs[SLOW].counts]
    points = [(as_of(counts, r.at), r.duration_s) for r in runs[SLOW]]
    medians = {name: median(r.duration_s for r in some) for name, some in runs.items()}
    peak = [r.duration_s for r in runs[SLOW] if r.rows > 0.95 * database["rows_before_purge"]["instances"]]
    after = [r.duration_s for r in runs[SLOW] if r.pid == labs[SLOW].pid]
    lasting = [one for one in labs[SLOW].memory if one[0] != labs[SLOW].pid]
    per_request = slope([(served, rss) for _, served, rss, _ in lasting])
    steep, low, high = (100_000 * figure for figure in slope(points))
    findings = [
        {"kind": "latency-grows-with-rows", "facts": {
            "operation": "RunInstances", "table": "instances", "seconds_per_100k_rows": steep, "ci_low": low,
            "ci_high": high, "rank_correlation": rank_correlation(points), "requests": len(points),
            "rows_min": int(min(x for x, _ in points)), "rows_max": int(max(x for x, _ in points)),
            "purgeable_rows": database["purgeable_instances"], "predicted_s_after_purge": median(after)}},
        {"kind": "latency-regression", "facts": {
            "operation": "RunInstances", "before_median_s": medians[FAST], "after_median_s": medians[SLOW],
            "ratio": medians[SLOW] / medians[FAST], "deployments": [FAST, SLOW]}},
        {"kind": "memory-growth", "facts": {
            "process": "nova-api", "host": SLOW, "bytes_per_request": per_request[0], "from_bytes": lasting[0][2],
            "to_bytes": lasting[-1][2], "exhausted_at": None}},
    ]  # fmt: skip
    if half == "guilty" and not (per_request[1] > 0 and medians[SLOW] > 5 * medians[FAST]):
        raise AstrayError("the run went another way than told")
    clocks = {
        f"{name}/{file}": {"offset_s": ahead_s, "zone": zone}
        for name, (_, zone, ahead_s) in clouds.items()
        for file in ("nova-api.log-20140401.gz", "nova-api.log", "ps-nova-api.txt", FILES[name])
    }
    utc = {"offset_s": 0, "zone": "UTC"}
    return {
        "findings": findings if half == "guilty" else [],
        "clocks": clocks | {f"{SLOW}/row-counts.csv": utc, f"{SLOW}/nova-20150112.sql.gz": utc},
        "in_the_database": database | {"tables_of_havana": by_table(labs[SLOW], runs[SLOW])},
        "measured": {
            "factor": factor,
            "true_seconds_per_100k_rows": 100_000 * slope([(r.rows, factor * r.cpu_s) for r in runs[SLOW]])[0],
            "before_purge_s": median(peak), "after_purge_s": median(after), "requests_after_purge": len(after),
            "memory": memory(labs), "operations": {name: operations(lab.requests) for name, lab in labs.items()},
        },
    }  # fmt: skip


def by_table(lab: Any, runs: list[Request]) -> dict[str, Any]:
    """How RunInstances goes with each table that was counted."""
    out = {}
    for table in lab.counts[0][1]:
        counts = [(at, counted[table]) for at, counted in lab.counts]
        points = [(as_of(counts, r.at), r.duration_s) for r in runs]
        varies = len({x for x, _ in points}) > 1
        out[table] = {"rank_correlation": rank_correlation(points) if varies else None,
                      "seconds_per_100k_rows": 100_000 * slope(points)[0] if varies else None}  # fmt: skip
    return out


def operations(requests: list[Request]) -> dict[str, Any]:
    """Each operation's figures, by the rows of `instances` at each request's moment."""
    out = {}
    for name in sorted({r.operation for r in requests}):
        some = [r for r in requests if r.operation == name]
        out[name] = {
            "requests": len(some), "median_s": median(r.duration_s for r in some),
            "longest_s": max(r.duration_s for r in some),
            "rank_correlation_with_rows": rank_correlation([(r.rows, r.duration_s) for r in some]),
            "rank_correlation_with_bytes": rank_correlation([(r.response_bytes, r.duration_s) for r in some]),
        }  # fmt: skip
    return out


def memory(labs: dict[str, Any]) -> dict[str, Any]:
    """The listings' resident memory, process by process."""
    out: dict[str, Any] = {}
    for name, lab in labs.items():
        for pid in dict.fromkeys(one[0] for one in lab.memory):
            of = [one for one in lab.memory if one[0] == pid]
            out[f"{name} {pid}"] = {
                "listings": len(of), "from_bytes": of[0][2], "to_bytes": of[-1][2], "most_bytes": max(o[2] for o in of),
                "bytes_per_request": slope([(served, rss) for _, served, rss, _ in of])[0],
                "since": f"{datetime.fromtimestamp(of[0][3].timestamp(), UTC):%Y-%m-%dT%H:%M:%SZ}",
            }  # fmt: skip
    return out
