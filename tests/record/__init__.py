"""Promises of the record."""
