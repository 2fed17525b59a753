"""How nova-compute words what happens to an instance, release by release: the beginning of each message."""

_END = r"\.?\s*(?:\n|$)"
_SECONDS = r"Took [\d.]+ seconds (?:to|for) "

WORDINGS: dict[str, tuple[str, ...]] = {
    "start_failed": (
        r"Instance failed to spawn",
        r"Failed to start libvirt guest",
        r"Error launching a defined domain with XML",  # Kilo; Liberty and later in guest.py
        r"An error occurred while trying to launch a defined domain",  # Icehouse, Juno
        r"Cannot reboot instance",
        r"Failed to resume instance",
        r"Failed to build and run instance",
        r"Instance failed (?:block device|network) setup",
        r"Build of instance \S+ (?:aborted|was re-scheduled)",
        r"Error from last host: ",
        r"Failed to (?:power on|restart) instance",
    ),
    "hypervisor_error": (
        r"Error from libvirt (?:during [^.\n]+\. Code=|while )",
        r"An error occurred while trying to define a domain",
        r"Error defining a (?:domain|guest) with XML",
        r"(?:Pre )?[Ll]ive [Mm]igration (?:failed|failure)",
        r"Pre live migration failed",
        r"Failed to (?:attach|detach|allocate network|destroy|terminate|snapshot)\b",
        r"Detach interface failed",
        r"Deletion of [^\n]+ failed|Failed to cleanup directory",
        r"Failed to (?:suspend|pause|rescue|migrate|stop)\b",
        r"Live Migration failure",
        r"Migration operation (?:thread )?(?:failed|error)",
        r"Failure (?:enabling|prepping|while|during)\b",
    ),
    "started": (r"VM Started \(Lifecycle Event\)", r"Life ?cycle [Ee]vent 0 on VM "),
    "stopped": (
        r"VM Stopped \(Lifecycle Event\)",
        r"Life ?cycle [Ee]vent 1 on VM ",  # Grizzly to Icehouse
        r"Instance shutdown (?:successfully|by itself)",
        r"Instance is already powered off",
    ),
    "paused": (
        r"VM Paused \(Lifecycle Event\)",
        r"Life ?cycle [Ee]vent 2 on VM ",
        r"Instance is paused unexpectedly",
        rf"Pausing{_END}",
    ),
    "resumed": (
        r"VM Resumed \(Lifecycle Event\)",
        r"Life ?cycle [Ee]vent 3 on VM ",
        rf"(?:Unpausing|Resuming){_END}",
    ),
    "suspended": (
        r"VM Suspended \(Lifecycle Event\)",
        r"Instance is suspended unexpectedly",
        rf"Suspending{_END}",
    ),
    "crashed": (r"VM Crashed \(Lifecycle Event\)",),
    "spawned": (
        r"Instance spawned successfully",
        rf"{_SECONDS}spawn the instance on the hypervisor",
        r"Instance running successfully",
    ),
    "built": (rf"{_SECONDS}build instance",),
    "claimed": (r"Attempting claim\b", r"Claim successful"),
    "creating": (
        r"Starting instance\.\.\.",
        r"Creating image",
        r"Creating config drive",
        r"Using config drive",
        r"Rebuilding instance",
    ),
    "rebooting": (
        r"Rebooting instance\b",
        r"Failed to soft reboot instance",
        r"trying to reboot a non-running instance",
        r"Hard rebooting instance",
    ),
    "rebooted": (
        r"Instance (?:soft )?rebooted successfully",
        r"Instance may have been rebooted during soft reboot",
    ),
    "terminating": (r"Terminating instance\b", r"Service started deleting the instance during the previous run"),
    "destroyed": (
        r"Instance destroyed successfully",
        rf"{_SECONDS}destroy the instance on the hypervisor",
    ),
    "files_deleted": (r"Deleting instance files ", r"Deletion of [^\n]+ complete"),
    "migrating": (
        r"VM (?i:Migration completed|Postcopy started) \(Lifecycle Event\)",
        r"_post_live_migration\(\) is started",
        r"Post operation of migration started",
        r"Migrating instance to ",
        rf"Migrating{_END}",
        r"Migration operation (?:has completed|was cancelled|has aborted)",
        r"Migration running for \d+ secs",
        r"Starting monitoring of live migration",
        r"Live migration monitoring is all done",
        r"(?:Live m|M)igration rollback",
        rf"{_SECONDS}pre_live_migration on destination host",
        r"Auto(?:matically)? converging|Increasing downtime to ",
        r"Creating tmpfile \S+ to verify with other compute node",
    ),
    "attached": (
        r"Attaching (?:volume|interface)\b",
        r"Attach interface\b",
        r"Booting with (?:volume|blank volume|volume snapshot|volume-backed-image|image)",
    ),
    "detached": (
        r"Detach(?:ing)? (?:volume|interface)\b",
        r"Successfully detached device ",
        rf"{_SECONDS}detach \d+ volumes? for instance",
    ),
    "snapshot": (
        r"instance snapshotting",
        r"Beginning (?:cold|live) snapshot process",
        r"Snapshot (?:extracted, beginning image upload|image upload complete)",
        r"trying to snapshot a non-running instance",
        rf"{_SECONDS}snapshot the instance on the hypervisor",
    ),
    "resized": (
        r"Automatically confirming migration ",
        r"Confirming resize|Reverting resize",
        r"Updating instance to original state",
        r"Migrating and resizing",
        r"(?:Revert|Confirm)(?:ing)? (?:migration|resize)\b",
    ),
    "rescued": (
        rf"(?:Rescuing|Unrescuing){_END}",
        r"Instance (?:un)?rescued successfully",
    ),
    "error": (
        r"(?:[^\n]*\. )?Setting instance (?:vm_state )?to ERROR",
        r"Setting instance back to ERROR",
        r"Instance build timed out",
    ),
    "disappeared": (
        r"[^:\n]{0,80}[Ii]nstance disappeared",
        r"Instance is unexpectedly not found",
        r"Instance has been destroyed from under us",
        r"Instance not found on (?:the )?hypervisor",
    ),
    "other": (
        r"During (?:the )?sync_power(?:_state)?\b",
        rf"{_SECONDS}deallocate network",
        r"Aborting claim",
        r"Instance is not stopped",
        r"Instance (?:in transitional|found in migrating) state",
        r"Instance failed to shutdown in \d+ seconds",
        r"Detected instance with name label",
    ),
}
"""For each event the beginnings that tell it; the first event that fits is taken.

Regular expressions in which a blank is a blank. What is written here with a name of its own in one release and
without it in the next (`Creating image`, `Creating image(s)`) is left open at its end.
"""
