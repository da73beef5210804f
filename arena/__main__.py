"""`python -m arena …`, installed as `kai-arena`."""

from arena.cli import main

if __name__ == "__main__":
    main()
