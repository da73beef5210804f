"""What every part of the web stands on: sessions, addresses, static files."""
