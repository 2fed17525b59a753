"""Whole documents into records."""
