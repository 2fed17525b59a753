"""Captures: bytes into packets, and packets into the messages of leaf protocols."""
