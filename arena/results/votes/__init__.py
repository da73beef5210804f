"""Which votes there are, which count, and how they are rated: what every reader of a stage starts from."""
