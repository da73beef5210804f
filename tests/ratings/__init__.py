"""Promises of the ratings."""
