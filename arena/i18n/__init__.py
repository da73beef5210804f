"""Every word for people, in Korean and English: JSON files of sentences by key, and the one that fills them in."""
