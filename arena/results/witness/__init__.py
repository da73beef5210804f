"""Anybody's small program that keeps and cosigns the checkpoints of an arena it does not trust. Nothing here reads a database."""
