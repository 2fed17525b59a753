"""Who has which instances, and who looks at them when."""

from pathlib import Path
from typing import Any

IMAGE = "b63fc0d4-41a9-4d6c-9c52-5a2f0f5d7e11"
USERS = {  # by the token that they show
    "token-build": {"id": "5b0a6e3f1c7d4d0f9a41f0a2c3d8e7b6", "project": "8175953c209044358ab5e0ec19d52c37"},
    "token-shop": {"id": "c41d2a9be0f74a8f8d5e6b7a90123fed", "project": "54fadb412c4e40cdbaed9335e4c35a9e"},
    "token-lab": {"id": "09fe8dc7b6a54321a0b1c2d3e4f5a6b7", "project": "b1ad1df9062a4fc682904c6c9b0f4e98"},
}
INSTANCES: list[dict[str, Any]] = [
    {"id": 3589, "uuid": "7c2f9d4e-6b1a-4c58-9e0f-3d2a1b5c8f70", "name": "build-7", "host": "cc12",
     "user": "token-build", "mac": "fa:16:3e:5d:02:e5", "ip": "10.0.4.21"},
    {"id": 3602, "uuid": "e9b70c15-2f38-4d6a-8a44-0c9d5e7f1b23", "name": "shop-db", "host": "cc12",
     "user": "token-shop", "mac": "fa:16:3e:1f:7a:12", "ip": "10.0.4.34"},
    {"id": 3611, "uuid": "1d84a3f6-90ce-4b7d-b2e5-6f7a8c9d0e31", "name": "shop-web", "host": "cc07",
     "user": "token-shop", "mac": "fa:16:3e:66:b8:90", "ip": "10.0.4.43"},
    {"id": 3620, "uuid": "a05f6e2b-7d19-4c83-9f60-2b3c4d5e6f82", "name": "lab-2", "host": "cc07",
     "user": "token-lab", "mac": "fa:16:3e:0c:41:d7", "ip": "10.0.4.52"},
]  # fmt: skip
LOUD = INSTANCES[0]
TAIL, ALL = {"os-getConsoleOutput": {"length": 35}}, {"os-getConsoleOutput": {"length": None}}
LOOKS = (
    (15, TAIL),
    *((at, ALL) for at in (20, 25, 30, 35, 40, 45, 50, 55)),
    *((at, ALL) for at in (125, 130, 135, 140)),
)
"""The dashboard's tab shows the last 35 lines, its link the whole log; the user refreshes that, and later once more."""


def plan(work: Path, capped: bool) -> dict[str, Any]:
    """All that the services need to know; `work` is where they leave what only the truth is to know."""
    steps = [{"at_s": float(at), "user": "token-build", "path": action(LOUD), "body": body} for at, body in LOOKS]
    for number, at in enumerate(range(1, 160, 7)):
        one = INSTANCES[number % len(INSTANCES)]
        path = "/detail" if number % 3 else f"/{one['uuid']}"
        steps.append({"at_s": at + 0.4, "user": one["user"], "path": path, "body": None})
    for at, one, body in (
        (10.7, INSTANCES[1], TAIL), (33.2, INSTANCES[2], ALL), (62.9, INSTANCES[3], {"reboot": {"type": "SOFT"}}),
        (71.3, INSTANCES[3], TAIL), (98.1, INSTANCES[1], ALL), (132.6, INSTANCES[2], {"reboot": {"type": "SOFT"}}),
    ):  # fmt: skip
        steps.append({"at_s": at, "user": one["user"], "path": action(one), "body": body})
    return {
        "users": USERS, "instances": INSTANCES, "image": IMAGE, "capped": capped,
        "steps": sorted(steps, key=lambda step: step["at_s"]), "instances_path": "/var/lib/nova/instances",
        "answers": str(work / "answers"), "received": str(work / "received"), "done": str(work / "done"),
    }  # fmt: skip


def action(instance: dict[str, Any]) -> str:
    """Where the API takes an action on an instance."""
    return f"/{instance['uuid']}/action"


def libvirt_xml(instance: dict[str, Any]) -> str:
    """The domain as libvirt keeps it (nova/virt/libvirt/config.py, 2012.2)."""
    name = f"instance-{instance['id']:08x}"
    folder = f"/var/lib/nova/instances/{name}"
    return f"""<domain type='kvm'>
  <name>{name}</name>
  <uuid>{instance["uuid"]}</uuid>
  <memory unit='KiB'>2097152</memory>
  <vcpu placement='static'>1</vcpu>
  <os>
    <type arch='x86_64' machine='pc-1.0'>hvm</type>
    <boot dev='hd'/>
  </os>
  <devices>
    <emulator>/usr/bin/kvm</emulator>
    <disk type='file' device='disk'>
      <driver name='qemu' type='qcow2' cache='none'/>
      <source file='{folder}/disk'/>
      <target dev='vda' bus='virtio'/>
    </disk>
    <interface type='bridge'>
      <mac address='{instance["mac"]}'/>
      <source bridge='br100'/>
      <model type='virtio'/>
    </interface>
    <serial type='file'>
      <source path='{folder}/console.log'/>
      <target port='0'/>
    </serial>
  </devices>
</domain>
"""
