"""Alembic's: every change of the tables, in order, forward only."""
