"""`python -m snapdrift`."""

from snapdrift.cli import main

if __name__ == "__main__":
    main()
