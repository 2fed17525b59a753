"""Messages: log records into narrower records, however their line was stored."""
