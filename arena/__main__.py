"""`python -m arena …`."""

from arena.cli import app

if __name__ == "__main__":
    app()
