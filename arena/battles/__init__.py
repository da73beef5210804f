"""A citizen's battle, from prompt to reveal."""
