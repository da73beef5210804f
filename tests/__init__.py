"""The promises, each kept through the real thing."""
