"""Checkpoints on this machine: a worker process for each, and how it is talked to."""
