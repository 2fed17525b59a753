"""Answers into figures: one function a file."""
