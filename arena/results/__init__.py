"""From votes to the programme: ratings, integrity, the signed export, the stranger's check, the aggregate."""
