"""nova-compute of Folsom (2012.2), as far as the image cache goes: its rules on real files, its wording on real syslog.

Runs as a worker: one order as JSON a line on stdin, one answer on stdout. The rules are those of
nova/virt/libvirt/imagecache.py @ 2012.2: an image is in use on a node if an instance *of this node* uses it; what is in
use is touched; what is not is removed an hour (`_NN`) or a day after its last touch.
"""

import hashlib
import json
import logging
import logging.handlers
import os
import re
import subprocess
import sys
import time
from collections.abc import Iterator

INSTANCES, BASE = "/var/lib/nova/instances", "/var/lib/nova/instances/_base"
RESIZED_S, ORIGINAL_S = 3600, 86400  # remove_unused_{resized,original}_minimum_age_seconds
AUDIT = logging.INFO + 1
STAMP = "%Y-%m-%d %H:%M:%S"
CACHE = "nova.virt.libvirt.imagecache"


class Counted(logging.handlers.SysLogHandler):
    """The handler that `use_syslog` gave nova; counts the lines, so that the lab can wait for them."""

    lines = 0

    def emit(self, record: logging.LogRecord) -> None:
        """Send it."""
        super().emit(record)
        self.lines += 1


def handler() -> Counted:
    """A handler in the format of 2012.2.0: no pid, no milliseconds."""
    logging.addLevelName(AUDIT, "AUDIT")
    made = Counted("/dev/log", facility=logging.handlers.SysLogHandler.LOG_LOCAL0)
    made.setFormatter(
        logging.Formatter("%(asctime)s %(levelname)s %(name)s [%(context)s] %(instance)s%(message)s", STAMP)
    )
    logging.getLogger().addHandler(made)
    logging.getLogger().setLevel(logging.INFO)  # verbose, not debug
    return made


def say(logger: str, message: str, level: str = "INFO", context: str = "-", instance: str = "") -> None:
    """Write one line as nova did."""
    named = f"[instance: {instance}] " if instance else ""
    number = AUDIT if level == "AUDIT" else getattr(logging, level)
    logging.getLogger(logger).log(number, "%s", message, extra={"context": context, "instance": named})


def sha1(image: str) -> str:
    """Name of an image's base file."""
    return hashlib.sha1(image.encode()).hexdigest()


class Pass:
    """One pass of the image cache manager over all that the folder holds."""

    def __init__(self, host: str, instances: list[dict[str, str]]) -> None:
        self.host, self.instances = host, instances
        files = [name for name in sorted(os.listdir(BASE)) if re.match(r"[0-9a-f]{40}($|_)", name)]
        self.unexplained = [f"{BASE}/{name}" for name in files]
        self.originals = {path for path in self.unexplained if "_" not in os.path.basename(path)}
        self.active: list[str] = []
        self.removable: list[str] = []

    def run(self) -> None:
        """Look at every image of the database, then at what no image explains, then remove."""
        used: dict[str, int] = {}
        for instance in self.instances:
            local = instance["host"] == self.host
            used[instance["image_ref"]] = used.get(instance["image_ref"], 0) + local
        for image, local in used.items():
            for path in list(self._files(image)):
                self._look(image, path, local)
        for path in self._backing():
            if path in self.unexplained:
                say(CACHE, f"Instance {self._backed[path]} is using a backing file {os.path.basename(path)} which does "
                    "not appear in the image service", "WARNING")  # fmt: skip
                self.unexplained.remove(path)
            if path not in self.active:
                self.active.append(path)
        for path in self.unexplained:
            say(CACHE, f"Unknown base file: {path}", "WARNING")
            self.removable.append(path)
        if self.active:
            say(CACHE, f"Active base files: {' '.join(self.active)}")
        if self.removable:
            say(CACHE, f"Removable base files: {' '.join(self.removable)}")
            for path in self.removable:
                self._remove(path)

    def _files(self, image: str) -> Iterator[str]:
        """The image as fetched, then its resized copies."""
        name = f"{BASE}/{sha1(image)}"
        found = [name, *(path for path in self.unexplained if path.startswith(name + "_"))]
        yield from (path for path in found if os.path.exists(path))

    def _look(self, image: str, path: str, local: int) -> None:
        if path in self.active or path in self.removable:
            return
        say(CACHE, f"{image} ({path}): checking")
        if path in self.unexplained:
            self.unexplained.remove(path)
        if local:  # instances elsewhere are counted, and protect nothing
            self.active.append(path)
            os.utime(path, None)
        else:
            self.removable.append(path)

    def _backing(self) -> Iterator[str]:
        """Base files that disks of the folder are backed by, as qemu-img says; `-U`: the disks are in use elsewhere."""
        self._backed = {}
        for instance in self.instances:
            disk = f"{INSTANCES}/{instance['name']}/disk"
            if os.path.exists(disk):
                told = subprocess.run(["qemu-img", "info", "-U", disk], capture_output=True, text=True, check=True)
                for path in re.findall(r"^backing file: (\S+)", told.stdout, re.MULTILINE):
                    self._backed[path] = instance["name"]
                    yield path

    def _remove(self, path: str) -> None:
        if not os.path.exists(path):
            return
        if time.time() - os.path.getmtime(path) < (ORIGINAL_S if path in self.originals else RESIZED_S):
            say(CACHE, f"Base file too young to remove: {path}")
            return
        say(CACHE, f"Removing base file: {path}")
        os.remove(path)


def main() -> None:
    """Take orders until the lab ends."""
    counted, host = handler(), sys.argv[1]
    for line in sys.stdin:
        order, counted.lines = json.loads(line), 0
        if order["do"] == "pass":
            Pass(host, order["instances"]).run()
        for said in order.get("say", []):
            say(**said)
        print(json.dumps({"lines": counted.lines, "at": time.time()}), flush=True)


if __name__ == "__main__":
    main()
