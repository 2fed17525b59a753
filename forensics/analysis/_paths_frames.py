"""What the charts of packet paths are given: cells, steps and rungs of one finding."""

from __future__ import annotations

import numpy as np
import polars as pl

from forensics.analysis._paths_losses import Part
from forensics.analysis._paths_packets import form
from forensics.analysis._paths_scene import Scene
from forensics.records import Finding

MOST_RUNGS = 14
CELLS = {"row": pl.String, "column": pl.String, "nth": pl.Int64, "seen": pl.Int64, "sent": pl.Int64,
         "trouble": pl.Boolean, "note": pl.String}  # fmt: skip
STEPS = {"direction": pl.String, "ip_bytes": pl.Int64, "delivered": pl.Int64, "lost": pl.Int64, "cited": pl.String}
RUNGS = {"direction": pl.String, "ip_bytes": pl.Int64, "nth": pl.Int64, "place": pl.String, "packets": pl.Int64,
         "lost": pl.Boolean, "cited": pl.String}  # fmt: skip


def scene_of(finding: Finding, found: list[Scene]) -> Scene | None:
    """The scene that a finding tells of."""
    return next((scene for scene in found if scene.between == finding.facts["lost_between"]), None)


def direction(part: Part) -> str:
    """The way in words."""
    return f"{part.way.src} → {part.way.dst}"


def label(point: str, tags: str) -> str:
    """A place in words."""
    return f"{point} [{tags}]" if tags else point


def loss_cells(scene: Scene) -> pl.DataFrame:
    """Per direction and size, above the boundary or not: how many each place saw of those sent."""
    limit = scene.main.largest_delivered
    rows: list[tuple[str, str, int, int, int, bool, str]] = []
    order: list[tuple[str, str]] = []
    for part in scene.main.parts[:1]:
        order = [(place.point, place.form) for place in part.way.places]
    for part in scene.parts()[:4]:
        for one in (part.way, part.back):
            if one is None or any(row[0].startswith(f"{one.src} → {one.dst}") for row in rows):
                continue
            sizes = one.sizes()
            for large in (False, True):
                chosen = (sizes > limit) == large
                if not chosen.any():
                    continue
                name = f"{one.src} → {one.dst}, {'above' if large else 'up to'} {limit}"
                seen: dict[tuple[str, str], int] = {}
                for n, place in enumerate(one.places):
                    key = (place.point, place.form)
                    seen[key] = max(seen.get(key, 0), int((chosen & one.seen[:, n]).sum()))
                    if key not in order:
                        order.append(key)
                sent = int(chosen.sum())
                for key, count in seen.items():
                    note = f"{count} of {sent} packets, tags {key[1] or 'none'}"
                    rows.append((name, label(*key), order.index(key), count, sent, count * 2 < sent, note))
    return pl.DataFrame(rows, schema=CELLS, orient="row")


def leak_cells(finding: Finding, packets: pl.LazyFrame) -> pl.DataFrame:
    """Per tags: how many frames of the leak's senders each point saw."""
    macs = list(finding.entities.get("macs", ()))
    own = packets.filter(pl.col("eth_src").is_in(macs)).with_columns(form=form(), point=pl.coalesce("host", "source"))
    counted = own.group_by("form", "point").agg(seen=pl.len()).collect(engine="streaming").sort("form", "point")
    points = sorted(set(counted["point"]))
    vid, at = str(finding.facts["vid"]), finding.facts["capture_point"]
    total = dict(counted.group_by("point").agg(pl.col("seen").sum()).iter_rows())
    rows = [
        (f"tags {tags}" if tags else "untagged", point, points.index(point), seen, total[point],
         tags == vid and point == at, f"{seen} frames")
        for tags, point, seen in counted.iter_rows()
    ]  # fmt: skip
    return pl.DataFrame(rows, schema=CELLS, orient="row")


def steps_of(scene: Scene) -> pl.DataFrame:
    """Per direction and size: how many packets crossed the hop, how many did not."""
    rows = []
    for part in scene.parts()[:4]:
        sizes = part.way.sizes()
        for size in np.unique(sizes[part.delivered | part.missed]).tolist():
            of_size = sizes == size
            gone, came = of_size & part.missed, of_size & part.delivered
            row = int(np.flatnonzero(gone if gone.any() else came)[0])
            cited = str(scene.reference(part.way, row, int(part.way.first()[row])))
            rows.append((direction(part), size, int(came.sum()), int(gone.sum()), cited))
    return pl.DataFrame(rows, schema=STEPS, orient="row").sort("direction", "ip_bytes")


def rungs_of(scene: Scene) -> pl.DataFrame:
    """Sizes around the boundary, and how far each came: one row per size and place that saw it."""
    part = max(scene.main.parts, key=lambda one: int(scene.gone(one).sum()))
    way, limit = part.way, scene.main.largest_delivered
    sizes = way.sizes()
    known = np.unique(sizes[part.delivered | part.lost]).tolist()
    below, above = [s for s in known if s <= limit], [s for s in known if s > limit]
    half = MOST_RUNGS // 2
    rows = []
    for size in [*below[-half:], *above[:half]]:
        of_size = (sizes == size) & (part.delivered | part.lost)
        gone = bool((of_size & part.lost).any())
        for n, place in enumerate(way.places):
            there = of_size & way.seen[:, n]
            if there.any():
                cited = str(scene.reference(way, int(np.flatnonzero(there)[0]), n))
                told = (direction(part), size, n, label(place.point, place.form), int(there.sum()), gone, cited)
                rows.append(told)
    return pl.DataFrame(rows, schema=RUNGS, orient="row")
