"""Promises kept in a real browser."""
