"""Promises of the routes and pages."""
