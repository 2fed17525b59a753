"""Evidence into records: one file a format, found by listing the folders."""
