"""Promises of a citizen's battle."""
