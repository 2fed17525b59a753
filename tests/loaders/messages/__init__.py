"""Tests of the message formats."""
