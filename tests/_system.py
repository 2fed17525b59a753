"""System programs that only some tests need."""

import shutil

import pytest


def program(name: str, package: str | None = None) -> str:
    """Path of a program; skips the calling test, naming the Debian package, where it is missing."""
    found = shutil.which(name) or shutil.which(name, path="/usr/sbin:/sbin")
    if found is None:
        pytest.skip(f"{name} is missing: install Debian package {package or name} (make system-deps)")
    return found


PEAK_MIB = """
def peak_mib():
    import resource, sys
    try:
        with open("/proc/self/status") as status:
            return next(int(line.split()[1]) for line in status if line.startswith("VmHWM:")) >> 10
    except OSError:
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss >> (20 if sys.platform == "darwin" else 10)
"""
"""Source of a function for child processes: their own peak; getrusage mixes it with that of their parent."""
