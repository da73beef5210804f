"""Blind battles between language models, votes that cannot be lost, and the user score that follows from them."""

__version__ = "0.2.0"
