"""The score as it leaves: tables, statistics, document, signature, and the stranger's check of all of it."""
