"""Writes a tree of logs as a log server keeps it: a folder a host, nova.log and syslog in each, from a fixed seed."""

import argparse
import os
import random
import time
import uuid
from pathlib import Path

LOGGERS = (
    *(
        "nova.virt.libvirt.imagecache",
        "nova.compute.manager",
        "nova.compute.resource_tracker",
        "nova.network.linux_net",
    ),
    *("nova.virt.libvirt.driver", "nova.openstack.common.rpc.amqp", "nova.osapi_compute.wsgi.server", "nova.utils"),
)
LEVELS = (("INFO", 60), ("DEBUG", 25), ("WARNING", 8), ("AUDIT", 5), ("ERROR", 2))
TRACEBACK = (
    "Traceback (most recent call last):",
    '  File "/usr/lib/python2.7/dist-packages/nova/compute/manager.py", line {}, in _spawn',
    "    block_device_info)",
    '  File "/usr/lib/python2.7/dist-packages/nova/virt/libvirt/driver.py", line {}, in spawn',
    "    block_device_info=block_device_info)",
    "ProcessExecutionError: Unexpected error while running command.",
    "Exit code: 1",
)
DAEMONS = (
    "dnsmasq-dhcp[{0}]: DHCPREQUEST(br100) 10.1.{1}.{2} fa:16:3e:00:{1:02x}:{2:02x}",
    "dnsmasq-dhcp[{0}]: DHCPACK(br100) 10.1.{1}.{2} fa:16:3e:00:{1:02x}:{2:02x} host-10-1-{1}-{2}",
    "kernel: [{0}.{1:03d}{2:03d}] br100: port {1}(vnet{2}) entering forwarding state",
    "CRON[{0}]: (root) CMD (   cd / && run-parts --report /etc/cron.hourly)",
)


def _said(rng: random.Random, logger: str) -> str:
    if logger.endswith("imagecache"):
        return f"Removing base file: /var/lib/nova/instances/_base/{rng.getrandbits(160):040x}_10"
    if logger.endswith("wsgi.server"):
        path = f"/v2/{rng.getrandbits(128):032x}/servers/detail"
        length = rng.randrange(100, 90_000)
        return f'10.2.0.{rng.randrange(256)} "GET {path} HTTP/1.1" status: 200 len: {length} time: {rng.random():.7f}'
    kind = rng.randrange(10)
    if kind < 4:
        return f"[instance: {uuid.UUID(int=rng.getrandbits(128))}] Updating instance state to running"
    if kind < 9:
        return f"Running cmd (subprocess): sudo nova-rootwrap iptables-save -c -t filter chain {rng.randrange(9000)}"
    return f"Retrying in {rng.randrange(60)} seconds: Verf\u00fcgbarkeit \u2713"


def write(folder: Path, mebibytes: int, hosts: int = 16, seed: int = 1) -> None:
    """Write the tree.

    Args:
        folder: Where; one folder a host is made in it.
        mebibytes: Size of all files together, roughly.
        hosts: Half of them write milliseconds and process ids, as from Havana on; the others write as Essex did.
        seed: The same seed gives the same octets.
    """
    rng = random.Random(seed)
    requests = [
        f"req-{uuid.UUID(int=rng.getrandbits(128))} {rng.getrandbits(128):032x} {rng.getrandbits(128):032x}"
        for _ in range(3000)
    ]
    requests += ["-"] * 3000
    names, weights = zip(*LEVELS, strict=True)
    bodies = []
    for _ in range(40_000):
        logger = rng.choice(LOGGERS)
        level = rng.choices(names, weights)[0]
        bodies.append(f"{level} {logger} [{rng.choice(requests)}] {_said(rng, logger)}")
    for number in range(hosts):
        host, havana, pid = f"node-c{number:02d}", number % 2 == 1, rng.randrange(1000, 30_000)
        at, left = 1_355_913_659, (mebibytes << 20) // hosts
        (folder / host).mkdir(parents=True, exist_ok=True)
        with (folder / host / "nova.log").open("w") as nova, (folder / host / "syslog").open("w") as syslog:
            while left > 0:
                at += rng.randrange(3)
                now = time.gmtime(at)
                outer = f"{time.strftime('%b', now)} {now.tm_mday:2d} {time.strftime('%H:%M:%S', now)} {host} "
                inner = time.strftime("%Y-%m-%d %H:%M:%S", now)
                lines = []
                for body in rng.choices(bodies, k=rng.randrange(1, 20)):
                    stamp = f"{inner}.{rng.randrange(1000):03d} {pid} " if havana else f"{inner} "
                    lines.append(outer + stamp + body)
                    if body.startswith("ERROR") and rng.random() < 0.5:
                        lines.extend(line.format(rng.randrange(2000)) for line in TRACEBACK)
                text = "\n".join(lines) + "\n"
                nova.write(text)
                more = ""
                if rng.random() < 0.7:
                    more = outer + rng.choice(DAEMONS).format(*(rng.randrange(256) for _ in range(3))) + "\n"
                    syslog.write(more)
                left -= len(text) + len(more)
        for name in ("nova.log", "syslog"):  # the time of the last line: what tells the year of stamps without one
            os.utime(folder / host / name, (at, at))


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("mebibytes", type=int)
    parser.add_argument("--hosts", type=int, default=16)
    chosen = parser.parse_args()
    write(chosen.folder, chosen.mebibytes, chosen.hosts)
