"""System programs that only some tests need."""

import shutil

import pytest


def program(name: str, package: str | None = None) -> str:
    """Path of a program; skips the calling test, naming the Debian package, where it is missing."""
    found = shutil.which(name) or shutil.which(name, path="/usr/sbin:/sbin")
    if found is None:
        pytest.skip(f"{name} is missing: install Debian package {package or name} (make system-deps)")
    return found
