"""The HTTP API: a module for each group of routes, and the schemas of what they answer."""
