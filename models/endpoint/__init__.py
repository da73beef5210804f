"""Endpoints that speak the OpenAI protocol, and the wild ways in which they do."""
