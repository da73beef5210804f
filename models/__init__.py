"""Makes a language model speak; imports nothing of ours."""
