"""What the tests stand on: a served arena, citizens, endpoints, stages, votes."""
