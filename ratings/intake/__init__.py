"""Battles of any file or frame, read as comparisons."""
