"""What is true of a half: from what make.py did, held tshark's reading of the captures and the files' own lines."""

import re
import subprocess
from datetime import UTC, datetime
from pathlib import Path

from _lab import AstrayError
from cloud import IMAGES, LAUNCHED, STANDING, USERS
from fabric import Bond, Cut

ZONE, AHEAD_S = "America/Regina", {"cc36": 3.5}


def instant(nanoseconds: int | None) -> str | None:
    """ISO 8601 in UTC."""
    if nanoseconds is None:
        return None
    whole = datetime.fromtimestamp(nanoseconds // 10**9, UTC)
    return f"{whole:%Y-%m-%dT%H:%M:%S}.{nanoseconds % 10**9:09d}Z"


def bpdus(capture: Path) -> list[tuple[int, str]]:
    """Every BPDU of a capture, as tshark reads it: instant by the capture's clock, and sender."""
    fields = ("-T", "fields", "-e", "frame.time_epoch", "-e", "eth.src")
    command = ["tshark", "-n", "-r", str(capture), "-Y", "stp", *fields]
    found = []
    for line in subprocess.run(command, capture_output=True, text=True, check=True).stdout.splitlines():
        at, sender = line.split("\t")
        whole, fraction = at.split(".")
        found.append((int(whole + fraction.ljust(9, "0")), sender))
    return found


def on_the_wire(evidence: Path) -> dict[str, object]:
    """How many BPDUs of whom each capture holds."""
    told = {}
    for capture in sorted(evidence.rglob("*.pcap*.gz")):
        senders = [sender for _, sender in bpdus(capture)]
        counts = {sender: senders.count(sender) for sender in sorted(set(senders))}
        packets = subprocess.run(["tshark", "-n", "-r", capture, "-T", "fields", "-e", "frame.number"],
                                 capture_output=True, text=True, check=True)  # fmt: skip
        told[capture.relative_to(evidence).as_posix()] = {"packets": len(packets.stdout.split()), "bpdus": counts}
    return told


def clocks(evidence: Path) -> dict[str, object]:
    """Offset and zone of every file: a compute host's stamps are its own, in the controller's folder too."""
    told = {}
    for path in sorted(
        path for path in evidence.rglob("*") if path.is_file() and path.name not in ("case.toml", "timezone")
    ):
        name = path.relative_to(evidence).as_posix()
        host = next((part for part in name.split("/") if re.fullmatch(r"cc\d+", part)), "")
        zone = ZONE if host and path.suffix != ".gz" else "UTC"
        told[name] = {"offset_s": AHEAD_S.get(host, 0), "zone": zone}
    return told


def gaps(evidence: Path) -> dict[str, object]:
    """What the controller's log server has of each host: lines here, lines there, and those that never came.

    No host was silent: each goes on writing its own syslog. `last_before` and `first_after` are the lines around those
    lost, as the host stamps them.
    """
    told = {}
    for name in ("cc35", "cc36", "cc37"):
        here = (evidence / name / "syslog").read_text().splitlines()
        there = (evidence / "controller" / "rsyslog" / name / "syslog.log").read_text().splitlines()
        lost = [number for number, line in enumerate(here) if line not in set(there)]
        told[name] = {"lines": len(here), "received": len(there), "lost": len(lost)}
        if lost:
            around = (lost[0] - 1, lost[-1] + 1)
            told[name] |= {
                key: here[number][:15] if number < len(here) else None
                for key, number in zip(("last_before", "first_after"), around, strict=True)
            }
    return told


def link_downs(cuts: list[Cut], bonds: dict[str, Bond]) -> list[dict[str, object]]:
    """Every port that went down: the switches' and the hosts'."""
    found: list[dict[str, object]] = []
    for cut in cuts:
        for interface, at in ((f"Port-Channel{cut.number}", cut.cut_at), (f"Ethernet{cut.number}", cut.link_down_at)):
            found.append({"switch": cut.switch, "interface": interface, "from": instant(at),
                          "to": instant(cut.restored_at), "reason": "bpduguard"})  # fmt: skip
    for host, bond in bonds.items():
        fell: dict[str, int] = {}
        ended: dict[str, int] = {}
        for at, said in bond.events:
            member = (re.findall(r"eth\d", said) or ["bond0"])[0]
            if "Link is Down" in said or "without any active" in said:
                fell.setdefault(member, at)
            if member in fell and "Link is Up" in said:
                ended.setdefault(member, at)
            if "bond0" in fell and "making interface" in said and at > fell["bond0"]:
                ended.setdefault("bond0", at)
        found += [{"host": host, "interface": name, "from": instant(at), "to": instant(ended.get(name)), "reason": None}
                  for name, at in fell.items()]  # fmt: skip
    return found


def truth(half: str, evidence: Path, cuts: list[Cut], bonds: dict[str, Bond]) -> dict[str, object]:
    """The truth of a half; a run that went another way than told is refused."""
    wire = on_the_wire(evidence)
    rest = {"on_the_wire": wire, "at_the_log_server": gaps(evidence), "clocks": clocks(evidence)}
    sent = [sender for told in wire.values() for sender in told["bpdus"]]
    guests = {sender for sender in sent if sender.startswith("fa:16:3e")}
    if not any(sender.startswith("00:1c:73") for sender in sent):
        raise AstrayError("no BPDU of a switch was captured")
    if half == "healthy":
        if cuts or guests or any("Down" in said for bond in bonds.values() for _, said in bond.events):
            raise RuntimeError("something was cut off, and should not have been")
        return {"findings": [], **rest}
    server = {server.mac: server for server in LAUNCHED}
    if [(c.switch, c.mac) for c in cuts] != [(s, m) for m in server for s in ("SW-1", "SW-2")] or guests != set(server):
        raise AstrayError(f"other cuts than told: {cuts}")
    for cut in cuts:
        of = server[cut.mac]
        ahead = round(AHEAD_S.get(of.host, 0) * 1e9)
        left = [at - ahead for at, mac in bpdus(evidence / of.host / "bond0.pcap.gz") if mac == cut.mac]
        if min(abs(at - cut.cut_at) for at in left) > 50_000_000:
            raise RuntimeError(f"{cut.switch}: no BPDU left {of.host} when its port was shut")
        if cut.restored_at is None and of is LAUNCHED[0]:
            raise RuntimeError(f"{cut.switch}: Port-Channel{cut.number} was not taken back")
    told = [
        {"switch": cut.switch, "port": f"Port-Channel{cut.number}", "mac": cut.mac, "instance": server[cut.mac].uuid,
         "host": server[cut.mac].host, "cut_at": instant(cut.cut_at), "restored_at": instant(cut.restored_at)}
        for cut in cuts
    ]  # fmt: skip
    facts = {
        "cuts": told,
        "source_image": IMAGES[LAUNCHED[0].image],
        "source_user": USERS[LAUNCHED[0].user][0],
        "bystanders": [s.uuid for s in STANDING if s.host in {of.host for of in LAUNCHED}],
    }
    findings = [{"kind": "bpdu-guard-cutoff", "facts": facts}]
    findings += [{"kind": "link-down", "facts": facts} for facts in link_downs(cuts, bonds)]
    return {"findings": findings, **rest}
