"""A stage while it is open: standings, other readings of the same votes, the draws, and who looked."""
