"""Framings: bytes into log records, one framing a file."""
