"""Tests of the document loaders."""
