#!/usr/bin/env python3
"""Make the vanished images again: four compute nodes share one folder, and one of them is not there to say "mine".

nova keeps an image's base file in `_base` while somebody uses it. Each compute node looks after the whole folder:
touches what it knows to be in use, removes what nobody has touched for long. A node that is down touches nothing; when
it comes back, the disks of its instances have lost what they are backed by. The incident is told for two releases:

    guilty, healthy             Folsom: an hour for resized copies (`_10`), and only a node's own instances count
    current, current_healthy    nova 34.0.0: a node counts for a day after its last pass, then a day for the file: two

Folsom, six hours. nc02 locks up with the only instance of a snapshot; nc03 removes the copy an hour after nc02's last
touch; the operator's hard reboot brings three instances back and not the fourth. Later nc04's nova-compute alone is
stopped (its instances run on), and nc02 removes the copy that two of them need: they will not start again. Today's
release, three days: cc-02 is off over a weekend. The twins are the same hosts and hours with nobody down. In every half
an instance is deleted on purpose and an image was left over: their files go by the rules, and nobody misses them.
A false lead for the reader, in both Folsom halves: the shop's snapshot is deleted from glance before its file goes. In
the healthy half its instance runs on, and the laboratory's snapshot, whose file goes too, is still there.

What is real: the files in /var/lib/nova/instances/_base (sparse), their times and what becomes of them; the disks
(`qemu-img create -b`) and qemu's word on whether they open; MariaDB and mysqldump; rsyslogd on each node, which stamps
and relays to the controller's rsyslogd, which writes `rsyslog/HOST/nova.log`: Python's SysLogHandler of Folsom sends no
tag, so those lines bear two stamps, and rsyslog takes the date for the tag. In `current` the passes are
nova's own code from PyPI (ComputeManager._run_image_cache_manager_pass, storage_users, ImageCacheManager, oslo.log),
its own schema and objects, its own notifications (oslo.messaging's driver `log`); only the libvirt driver is missing.

What is rendered, for no Folsom can be installed: its rules and wording (folsom.py, after
nova/virt/libvirt/imagecache.py @ 2012.2), the resource tracker's lines each minute, its notifications and its tables;
and in both releases the lines of boots, builds and reboots. Whether a reboot fails is qemu's word (`qemu-io`);
qemu-img and mysqldump speak as today's do.

What is arranged:

- Time. All programs of a host go by its clock (libfaketime), which is set on from event to event and runs on in
  between; a touched file gets the file server's time, as on NFS. So three days take minutes.
- nc01 is 7.3 s ahead, cc-04 5.6 s. nc01 to nc03 and cc-04 are in America/Edmonton, cc-02 and cc-03 in Europe/Berlin.
- cc-03 logs at DEBUG, all others at INFO: Folsom's `in use` lines are not in the evidence.
- cc-01 to cc-04 look after the cache each 7200 s ([image_cache] manager_interval), not each 2400.
- Folsom's stamps have no zone; each node's `date -R` lies beside, as an operator would take it.

`owners_down` runs from a host's last line in the tree to its first line after; instants are true UTC, read off the
lines' own stamps with the host's zone and offset taken out. `in_the_tree` counts lines, `in_the_database` is SQL's.

Run as root: `python3 make.py [--half NAME|both|all] [--out FOLDER] [--nova VENV]`, half a minute for a Folsom half and
five for a current one; for these nova is installed into a temporary environment unless VENV has it. Everything lives in
namespaces that end with this process, however it ends; only FOLDER and a temporary folder are written.
"""

import argparse
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))  # `python -P` leaves both out
sys.path.insert(0, str(Path(__file__).resolve().parent))

import new_release
import old_release
from _lab import FAKETIME, each, pack, parser, ready
from lab import BASE, INSIDE, INSTANCES, TREE, Lab, Node, instant

HERE = Path(__file__).resolve().parent
TITLES = {
    "guilty": "After a reboot an instance does not find its disk",
    "healthy": "A look at the image cache",
    "current": "After a weekend an instance does not start",
    "current_healthy": "A weekend of the image cache",
}
NOVA = ("nova==34.0.0", "pymysql", "python-memcached")
PACKAGES = {
    "unshare": "util-linux", "mount": "mount", "ip": "iproute2", "rsyslogd": "rsyslog",
    "mariadbd": "mariadb-server-core",
    "mariadb-install-db": "mariadb-server-core", "mariadb": "mariadb-client-core", "mysqldump": "mariadb-client",
    "qemu-img": "qemu-utils", "qemu-io": "qemu-utils", FAKETIME: "libfaketime",
    "/usr/share/zoneinfo/America/Edmonton": "tzdata",
}  # fmt: skip


def perform(half: str, work: Path, nova: Path | None) -> None:
    """Inside the namespaces: play one half and leave its evidence and its truth in `work`."""
    old = nova is None
    story_module: Any = old_release if old else new_release
    lab = Lab("traditional" if old else "rfc3339")
    lab.at(story_module.START - 3600)
    lab.centre()
    lab.database()
    played = "guilty" if half in ("guilty", "current") else "healthy"
    if nova is None:
        story: Any = old_release.Story(lab, played)
    else:
        home = Path("/var/lib/openstack")  # where nova's own debug lines then say that it lies
        home.mkdir()
        subprocess.run(["mount", "--bind", nova, home], check=True)
        story = new_release.Story(lab, played, home)
    story.play()
    evidence = work / half
    collect(half, lab, story, evidence)
    told = truth(half, lab, story, evidence)
    (work / f"{half}.truth.json").write_text(json.dumps(told, indent=2) + "\n")


def collect(half: str, lab: Lab, story: Any, evidence: Path) -> None:
    """Write the folder that an operator would hand over."""
    old = half in ("guilty", "healthy")
    (evidence / "controller").mkdir(parents=True)
    (evidence / "case.toml").write_text(f'title = "{TITLES[half]}"\n')
    for name in story.nodes:
        (evidence / "rsyslog" / name).mkdir(parents=True)
        shutil.copyfile(TREE / name / "nova.log", evidence / "rsyslog" / name / "nova.log")
        if old:  # these stamps have no zone of their own
            (evidence / name).mkdir()
            date = lab.run("date", "-R", zone=story.nodes[name].zone, host=name)
            (evidence / name / "date.txt").write_text(f"root@{name}:~# date -R\n{date}")
    zone = zone_of(half)
    prompt = "root@cloud:/var/lib/nova/instances# "
    listing = lab.run("sh", "-c", f"cd {INSTANCES} && ls -l --time-style=full-iso _base", zone=zone)
    (evidence / "controller" / "base_files.txt").write_text(
        f"{prompt}date -R\n{lab.run('date', '-R', zone=zone)}{prompt}ls -l --time-style=full-iso _base\n{listing}"
    )
    disks = sorted(INSTANCES.glob("*/disk"))
    text = ""
    for disk in disks:
        told = lab.run("sh", "-c", f"qemu-img info --backing-chain {disk}", zone=zone, ok=False)
        text += f"{prompt}qemu-img info --backing-chain {disk}\n{told}"
    (evidence / "controller" / "disks.txt").write_text(text)
    if old:
        dumps = {"nova.sql": ("nova", "instances", "instance_faults", "services"), "glance.sql": ("glance", "images")}
        notes = "\n".join(story.notes) + "\n"
    else:
        dumps = {"nova.sql": ("nova", "instances", "instance_faults")}
        notes = (TREE / "notifications.jsonl").read_text()
        shutil.copyfile(INSTANCES / "compute_nodes", evidence / "controller" / "compute_nodes")
        shutil.copyfile("/run/nova.conf", evidence / "controller" / "nova.conf")
    for name, (schema, *tables) in dumps.items():
        pack(lab.dump(zone, schema, *tables).encode(), evidence / "controller" / f"{name}.gz")
    (evidence / "controller" / "notifications.jsonl").write_text(notes)


def zone_of(half: str) -> str:
    """The controller's zone."""
    return old_release.ZONE if half in ("guilty", "healthy") else "UTC"


ZONED = ("base_files.txt", "nova.sql.gz")  # the stamps of `ls` and the last line of mysqldump
REMOVING = r"Removing base(?:, swap or ephemeral)? file: "


def truth(half: str, lab: Lab, story: Any, evidence: Path) -> dict[str, Any]:
    """What is true of a half, from what was done, the tree, the database and the folder."""
    nodes: dict[str, Node] = story.nodes
    removed = [
        (node.local(line), node.name, line.split()[-1])
        for node in nodes.values() for line in node.said() if re.search(REMOVING, line)
    ]  # fmt: skip
    columns = ("uuid", "image_ref", "host", "vm_state", "display_name")
    live = lab.sql(f"select {', '.join(columns)} from instances where deleted = 0 order by id")
    rows = [dict(zip(columns, row, strict=True)) for row in live]
    suffix = "_10" if half in ("guilty", "healthy") else ""
    needed = {f"{new_release.base_file(row['image_ref'])}{suffix}" for row in rows}
    failed = {line.split("[instance: ")[1][:36] for node in nodes.values() for line in node.said()
              if "Cannot reboot instance" in line}  # fmt: skip
    downs = {name: silence(nodes[name], after) for name, after in story.stops.items()}
    findings = []
    for at, host, path in sorted(removed):
        if path not in needed:
            continue
        users = [row for row in rows if new_release.base_file(row["image_ref"]) + suffix == path]
        findings.append({
            "kind": "base-file-removed-in-use",
            "facts": {
                "base_file": path, "image": users[0]["image_ref"], "removed_at": instant(at), "removed_by": [host],
                "owners_down": [downs[name] for name in sorted({row["host"] for row in users})],
                "victims": sorted(row["uuid"] for row in users if row["uuid"] in failed),
                "at_risk": sorted(row["uuid"] for row in users if row["uuid"] not in failed),
            },
        })  # fmt: skip
    findings += [{"kind": "host-silent", "facts": downs[name]} for name in story.stops]
    check(half, findings, needed, failed)
    return {
        "findings": findings,
        "removed_by_the_rules": [
            {"base_file": path, "removed_at": instant(at), "removed_by": [host]}
            for at, host, path in sorted(removed) if path not in needed
        ],
        "in_the_tree": {
            name: {
                "lines": len(node.said()),
                "checking": sum("): checking" in line for line in node.said()),
                "too_young": sum("too young to remove" in line for line in node.said()),
                "removing": sum(bool(re.search(REMOVING, line)) for line in node.said()),
            }
            for name, node in nodes.items()
        },
        "in_the_database": {
            "instances": int(lab.sql("select count(*) from instances")[0][0]),
            "deleted": int(lab.sql("select count(*) from instances where deleted != 0")[0][0]),
            "faults": int(lab.sql("select count(*) from instance_faults")[0][0]),
        },
        "notifications": len((evidence / "controller" / "notifications.jsonl").read_text().splitlines()),
        "files_left": sorted(path.name for path in BASE.iterdir()),
        "clocks": {
            f"rsyslog/{name}/nova.log": {"offset_s": node.ahead_s, "zone": node.zone} for name, node in nodes.items()
        }
        | {f"controller/{name}": {"offset_s": 0.0, "zone": zone_of(half)} for name in ZONED},
    }  # fmt: skip


def silence(node: Node, after: int) -> dict[str, str]:
    """A host's last line before it was down, and its first one after."""
    lines = node.said()
    return {"host": node.name, "from": instant(node.local(lines[after - 1])), "to": instant(node.local(lines[after]))}


def check(half: str, findings: list[dict[str, Any]], needed: set[str], failed: set[str]) -> None:
    """Stop where a run went another way than told."""
    kinds = [finding["kind"] for finding in findings]
    due = {"guilty": (2, 2), "current": (1, 1)}.get(half, (0, 0))
    if (kinds.count("base-file-removed-in-use"), kinds.count("host-silent")) != due:
        raise RuntimeError(f"the run went another way than told ({kinds}); please run it again")
    if len(failed) != bool(due[0]) or {path for path in needed if not Path(path).exists()} != {
        finding["facts"]["base_file"] for finding in findings if "base_file" in finding["facts"]
    }:
        raise RuntimeError("a file is missing that nobody removed, or there where it was removed")


def make(half: str, out: Path, nova: Path | None) -> None:
    """Make one half, inside namespaces of its own, and put its evidence and truth into `out`."""
    with tempfile.TemporaryDirectory(prefix="vanished_images_") as folder:
        if half.startswith("current") and nova is None:
            nova = Path(folder) / "nova"
            subprocess.run([sys.executable, "-m", "venv", nova], check=True)
            pip = [nova / "bin" / "pip", "install", "--quiet", "--disable-pip-version-check", *NOVA]
            if subprocess.run(pip, stderr=subprocess.DEVNULL, check=False).returncode:
                raise RuntimeError(f"pip install {' '.join(NOVA)} failed: is PyPI in reach? Else give --nova VENV")
        work = Path(folder) / "work"
        work.mkdir()
        told = [sys.executable, "-P", __file__, "--inside", str(work), "--half", half]
        told += ["--nova", str(nova)] if half.startswith("current") else []
        command = ["unshare", "--mount", "--net", "--pid", "--fork", "--mount-proc", "--kill-child"]
        command += ["--propagation", "private", "sh", "-c", INSIDE, "sh", *told]
        began = time.monotonic()
        running = subprocess.Popen(command, env=os.environ | {"LC_ALL": "C"}, cwd="/")
        try:
            status = running.wait()
        finally:
            running.terminate()
            running.wait()
        if status:
            raise RuntimeError("the lab ended early (see the message above)")
        shutil.rmtree(out / half, ignore_errors=True)
        shutil.copytree(work / half, out / half)
        shutil.copyfile(work / f"{half}.truth.json", out / f"{half}.truth.json")
    print(f"{half}: made in {time.monotonic() - began:.0f} s")


def main() -> int:
    """Read the arguments, check what is needed, make what was asked for."""
    told = parser("Make the vanished images again (as root, ten minutes).", (*TITLES, "both"), "all")
    told.add_argument("--nova", type=Path, help="a virtual environment that has nova, pymysql and python-memcached")
    told.add_argument("--inside", type=Path, help=argparse.SUPPRESS)
    arguments = told.parse_args()
    if not ready(PACKAGES, root_may="make namespaces"):
        return 1
    halves = {"both": ("guilty", "healthy"), "all": tuple(TITLES)}.get(arguments.half, (arguments.half,))
    nova = arguments.nova.resolve() if arguments.nova else None
    if arguments.inside:
        return each(halves, lambda half: perform(half, arguments.inside, nova))
    return each(halves, lambda half: make(half, arguments.out.resolve(), nova))


if __name__ == "__main__":
    sys.exit(main())
