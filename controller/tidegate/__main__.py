"""`python -m tidegate` and the `tidegate` command."""

import sys

from tidegate.cli import commands


def main() -> None:
    """Run the command that the arguments name and leave with its exit code."""
    sys.exit(commands.run(sys.argv[1:]))


if __name__ == "__main__":
    main()
