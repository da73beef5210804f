"""Promises of the results."""
