"""What nova-compute says of an instance's life, from the claim on a host to the deleted files."""

import polars as pl

from forensics.loaders._message_format import MessageFormat, Sample
from forensics.loaders.messages._base_files import nova_speaks
from forensics.loaders.messages._domains import MISSING, domain_columns, told_error, told_uuid, verbose
from forensics.loaders.messages._nova_wordings import WORDINGS
from forensics.records import InstanceEvent

_FAILURES = ["start_failed", "missing_file", "hypervisor_error", "error"]


_PREFIX = (
    r"(?:(?:DEBUG|INFO|AUDIT|WARNING|ERROR|TRACE|CRITICAL) )?(?:nova[\w.]* )?(?:\[(?:-|req-[^\]\n]*)\] )?"
    r"(?:\[instance: (?P<prefixed>[0-9a-fA-F-]{32,36})\] ?)?"
)
_ANCHORED = "\n|".join(f"(?P<is_{event}>{'|'.join(each)})" for event, each in WORDINGS.items())


def _shape(rows: pl.DataFrame) -> pl.DataFrame:
    """The event, from the group that matched, and what the message tells of the instance and its files."""
    message = pl.col("message")
    bare = message.str.replace(r"^\[instance: [^\]]*\] ?", "")
    event = pl.coalesce(pl.when(pl.col(f"is_{event}").is_not_null()).then(pl.lit(event)) for event in WORDINGS)
    gone = message.str.contains("libvirtError: Domain not found|InstanceNotFound: ")
    untold = (
        pl.when(message.str.contains(MISSING)).then(pl.lit("missing_file"))
        .when(gone).then(pl.lit("disappeared"))
        .otherwise(pl.lit("hypervisor_error"))
    )  # fmt: skip
    folder = bare.str.extract(r"^(?:Deleting instance files|Deletion of) (/[^\n]+?)(?: complete)?\.?(?:\n|$)", 1)
    named = (
        rows.filter(nova_speaks() & message.str.starts_with("Failed to remove ").not_())  # the image cache lost a race
        .with_columns(**domain_columns(message))
        .with_columns(
            event=pl.coalesce(event, untold),
            instance=pl.coalesce("instance", "prefixed", told_uuid(message)).str.to_lowercase(),
            path=pl.coalesce("path", folder),
        )
    )
    failed = pl.col("event").is_in(_FAILURES)
    broken = ["base_file", "image_hash"]
    told = named.with_columns(
        *(pl.when(failed).then(pl.col(each)).alias(each) for each in broken),
        error=pl.when(failed | message.str.contains("Traceback", literal=True)).then(told_error(bare)),
    )
    known = pl.any_horizontal(pl.col(each).is_not_null() for each in ("instance", "instance_name", "base_file", "path"))
    return told.filter(known | pl.col("event").is_in(["start_failed", "missing_file"]))


_I = "a18a5824-4215-4e24-bcfc-cb9f89f6bcbd"
_BASE = "/var/lib/nova/instances/_base/7b4783508212f5d242cbf9ff56fb8d33b4ce6166_10"
_DISK = f"/var/lib/nova/instances/{_I}/disk"
_ACCESS = (
    f"Cannot access backing file '{_BASE}' of storage file '{_DISK}' (as uid:107, gid:107): No such file or directory"
)
_TRACE = (
    'Traceback (most recent call last):\n  File "/usr/lib/python2.7/nova/compute/manager.py", line 2, in f\n    g()\n'
)

_WHY = "Unable to find the disk"
_PLAIN = (
    ("VM Started (Lifecycle Event)", "started"),
    ("VM Paused (Lifecycle Event)", "paused"),
    ("VM Resumed (Lifecycle Event)", "resumed"),
    ("VM Stopped (Lifecycle Event)", "stopped"),
    ("VM Suspended (Lifecycle Event)", "suspended"),
    ("VM Crashed (Lifecycle Event)", "crashed"),
    ("VM Migration completed (Lifecycle Event)", "migrating"),
    ("During sync_power_state the instance has a pending task (spawning). Skip.", "other"),
    ("During the sync_power process the instance has moved from host c29 to c30", "other"),
    ("Starting instance...", "creating"),
    ("Attempting claim: memory 2048 MB, disk 20 GB, vcpus 1 CPU", "claimed"),
    ("Attempting claim on node c29: memory 512 MB, disk 1 GB, vcpus 1 CPU", "claimed"),
    ("Claim successful", "claimed"),
    ("Claim successful on node c29", "claimed"),
    ("Creating image", "creating"),
    ("Creating image(s)", "creating"),
    ("Instance spawned successfully.", "spawned"),
    ("Took 19.84 seconds to spawn the instance on the hypervisor.", "spawned"),
    ("Took 20.58 seconds to build instance.", "built"),
    ("Took 1.04 seconds to destroy the instance on the hypervisor.", "destroyed"),
    ("Took 0.51 seconds to deallocate network for instance.", "other"),
    ("Instance destroyed successfully.", "destroyed"),
    ("Terminating instance", "terminating"),
    ("Rebooting instance", "rebooting"),
    ("Rebooting instance after nova-compute restart.", "rebooting"),
    ("Failed to soft reboot instance. Trying hard reboot.", "rebooting"),
    ("Instance rebooted successfully.", "rebooted"),
    ("Instance soft rebooted successfully.", "rebooted"),
    ("Instance shutdown successfully after 3 seconds.", "stopped"),
    ("Instance shutdown successfully.", "stopped"),
    ("Instance build timed out. Set to error state.", "error"),
    ("Service started deleting the instance during the previous run, but did not finish.", "terminating"),
    (f"Deletion of /var/lib/nova/instances/{_I} failed", "hypervisor_error"),
    ("Instance in transitional state spawning at start-up clearing task state", "other"),
    ("Instance shutdown by itself. Calling the stop API. Current vm_state: active", "stopped"),
    ("During wait destroy, instance disappeared.", "disappeared"),
    ("Instance is unexpectedly not found. Ignore.", "disappeared"),
    ("Migrating instance to c30 finished successfully.", "migrating"),
    ("_post_live_migration() is started..", "migrating"),
    ("Post operation of migration started", "migrating"),
    ("Migration operation has completed", "migrating"),
    ("Migration running for 0 secs, memory 100% remaining; (bytes processed=0, remaining=0, total=0)", "migrating"),
    ("Took 1.75 seconds for pre_live_migration on destination host c30.", "migrating"),
    ("Attaching volume 7d40 to /dev/vdb", "attached"),
    ("Attach interface", "attached"),
    ("Booting with volume 7d40 at /dev/vda", "attached"),
    ("Detach volume 7d40 from mountpoint /dev/vdb", "detached"),
    ("Detaching volume 7d40", "detached"),
    ("Successfully detached device vdb from instance 5 from the live domain config.", "detached"),
    ("Detach interface failed, port_id=5, reason: x", "hypervisor_error"),
    ("instance snapshotting", "snapshot"),
    ("Beginning live snapshot process", "snapshot"),
    ("Snapshot image upload complete", "snapshot"),
    ("Automatically confirming migration 5 for instance x", "resized"),
    ("Rescuing", "rescued"),
    ("Instance rescued successfully.", "rescued"),
    ("Pausing", "paused"),
    ("Unpausing", "resumed"),
    ("Resuming", "resumed"),
)

FORMAT = MessageFormat(
    name="nova-compute",
    record=InstanceEvent,
    logger=r"^nova\.compute(?:\.(?:manager|claims|resource_tracker|utils))?$|^nova\.virt\.(?:libvirt\.)?[a-z_.]+$"
    r"|^nova\.(?:scheduler\.(?:utils|driver|manager|filter_scheduler)|conductor\.manager|rpc\.\w+)$"
    r"|^nova\.openstack\.common\.(?:rpc\.\w+|periodic_task|loopingcall|threadgroup)$|^oslo[._]messaging\.rpc\.\w+$",
    said_by="nova.compute.manager",
    alone=("[instance: ",),
    reference="openstack/nova nova/compute/manager.py, nova/compute/claims.py, nova/virt/libvirt/driver.py, "
    "nova/virt/libvirt/guest.py @ 2012.1 to 2025.1",
    whole=True,
    pattern=verbose(rf"(?:^{_PREFIX}(?:{_ANCHORED})|libvirtError: |{MISSING})"),
    shape=_shape,
    samples=(
        # as lines come where the framing leaves the prefix in the message
        *(
            Sample(f"[instance: {_I}] {said}", {"event": event, "instance": _I, "base_file": None})
            for said, event in _PLAIN
        ),
        *(
            Sample(f"[instance: {_I}] {said}: {_WHY}", {"event": "start_failed", "error": _WHY, "base_file": None})
            for said in ("Cannot reboot instance", "Failed to resume instance")
        ),
        Sample(f"Lifecycle event 1 on VM {_I}", {"event": "stopped", "instance": _I}),
        Sample(f"Life cycle event 3 on VM {_I}. State is 1.", {"event": "resumed", "instance": _I}),
        Sample(
            f"[instance: {_I}] Instance 5 could not be moved: no route. Setting instance vm_state to ERROR",
            {"event": "error", "error": "Instance 5 could not be moved: no route"},
        ),
        Sample(f"Lifecycle Event 0 on VM {_I}", {"event": "started", "instance": _I}),
        Sample(
            f"[instance: {_I}] Deleting instance files /var/lib/nova/instances/{_I}_del",
            {"event": "files_deleted", "path": f"/var/lib/nova/instances/{_I}_del"},
        ),
        Sample(
            f"Deletion of /var/lib/nova/instances/{_I}_del complete",
            {"event": "files_deleted", "path": f"/var/lib/nova/instances/{_I}_del", "instance": _I},
        ),
        Sample(
            f"[instance: {_I}] Instance failed to spawn\n{_TRACE}libvirtError: {_ACCESS}",
            {
                "event": "start_failed",
                "base_file": _BASE,
                "path": _DISK,
                "image_hash": "7b4783508212f5d242cbf9ff56fb8d33b4ce6166",
                "error": _ACCESS,
            },
        ),
        Sample(
            f"[instance: {_I}] Cannot reboot instance: {_ACCESS}",
            {"event": "start_failed", "base_file": _BASE, "path": _DISK, "error": _ACCESS},
        ),
        Sample(
            f"Error launching a defined domain with XML: <domain type='kvm'>\n  <name>instance-00000e05</name>\n  "
            f"<uuid>{_I}</uuid>\n",
            {"event": "start_failed", "instance_name": "instance-00000e05", "error": None, "base_file": None},
        ),
        Sample(
            "An error occurred while trying to launch a defined domain with xml: <domain type='kvm'>\n  <name>"
            "instance-00000e05</name>\n</domain>\n",
            {"event": "start_failed", "instance_name": "instance-00000e05"},
        ),
        Sample(
            f"[instance: {_I}] Failed to start libvirt guest\n{_TRACE}libvirt.libvirtError: internal error: process "
            f"exited while connecting to monitor: 2019-01-01T10:00:00.1Z qemu-kvm: -drive file={_DISK},if=none: "
            f"Could not open backing file: Could not open '{_BASE}': No such file or directory",
            {"event": "start_failed", "base_file": _BASE, "path": _DISK},
        ),
        Sample(
            f"Exception during message handling\n{_TRACE}libvirtError: {_ACCESS}",
            {"event": "missing_file", "base_file": _BASE, "path": _DISK, "instance": _I, "error": _ACCESS},
        ),
        Sample(
            f"[instance: {_I}] Error from last host: c12 (node c12): [u'Traceback (most recent call last):\\n', "
            f"u\"libvirtError: Cannot access backing file '{_BASE}' of storage file '{_DISK}'\\n\"]",
            {"event": "start_failed", "base_file": _BASE, "instance": _I},
        ),
        Sample(
            f"[instance: {_I}] Instance failed to spawn\n{_TRACE}OSError: [Errno 2] No such file or directory: "
            f"'{_BASE}'",
            {
                "event": "start_failed",
                "base_file": _BASE,
                "path": None,
                "error": f"OSError: [Errno 2] No such file or directory: '{_BASE}'",
            },
        ),
        Sample(
            f"Build of instance {_I} was re-scheduled: {_WHY}",
            {"event": "start_failed", "instance": _I, "error": _WHY},
        ),
        Sample(
            "Error defining a guest with XML: <domain>\n<name>instance-00000e05</name></domain>",
            {"event": "hypervisor_error", "instance_name": "instance-00000e05", "error": None},
        ),
        Sample(
            f"[instance: {_I}] Error from libvirt during destroy. Code=38 Error=Failed to terminate process 7",
            {"event": "hypervisor_error"},
        ),
        Sample(
            f"[instance: {_I}] Failed to attach 7d40 at /dev/vdb\n{_TRACE}"
            "VolumeNotFound: Volume 7d40 could not be found.",
            {"event": "hypervisor_error", "error": "VolumeNotFound: Volume 7d40 could not be found."},
        ),
        Sample(
            f"[instance: {_I}] Setting instance vm_state to ERROR\n{_TRACE}ImageNotFound: Image 5 could not be found.",
            {"event": "error", "error": "ImageNotFound: Image 5 could not be found."},
        ),
    ),
)  # fmt: skip
