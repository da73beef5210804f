"""Promises of the words."""
