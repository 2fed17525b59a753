"""ProcessMemory: memory of one process, or of a whole host, at one instant."""

from __future__ import annotations

from forensics.records._record import instant, number, real, seconds, size, text
from forensics.records.snapshot import Snapshot


class ProcessMemory(Snapshot):
    """Memory as ps, pidstat, top, collectd (a process), sar, vmstat, free or /proc/meminfo (the host) showed it."""

    process = text("name of the program; null for the whole host", nullable=True)
    pid = number("process", nullable=True)
    user = text("its user", nullable=True)
    command = text("whole command line", nullable=True)
    resident_bytes = size("resident set size", nullable=True)
    virtual_bytes = size("virtual size", nullable=True)
    memory_share = real("share of the host's memory, 0 to 1", nullable=True)
    cpu_share = real("share of one processor, 0 to 1 and more", nullable=True)
    started_at = instant("when the process started", nullable=True)
    cpu_s = seconds("processor time used", nullable=True)
    total_bytes = size("memory of the host", nullable=True)
    used_bytes = size("in use, of the host", nullable=True)
    free_bytes = size("free", nullable=True)
    available_bytes = size("available", nullable=True)
    cached_bytes = size("page cache", nullable=True)
    buffers_bytes = size("buffers", nullable=True)
    swap_total_bytes = size("swap", nullable=True)
    swap_used_bytes = size("swap in use", nullable=True)
    tool = text("ps, pidstat, top, sar, vmstat, free, collectd, …")
