"""Comparisons in, ratings out: pure functions without clock, disk or arena."""
