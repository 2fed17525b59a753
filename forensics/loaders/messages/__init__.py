"""What programs say in their logs, however the lines are stored: log record to narrower record, one format a module."""

from forensics.loaders._message_format import MessageReader, leaves

__all__ = ["MessageReader", "leaves"]
