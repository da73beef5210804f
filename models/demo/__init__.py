"""The five embedded entrants: a corpus this repository makes, five small architectures, and a measured ladder of quality."""
