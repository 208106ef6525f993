"""The ``userops`` program: answers ``--version`` at once, and runs every command under guard."""

from __future__ import annotations

import os
import sys


def main() -> None:
    """Run the command line and leave with its exit code."""
    arguments = sys.argv[1:]
    if arguments in (["--version"], ["-V"]):
        from userops import __version__

        print(f"userops {__version__}")
        return
    from userops import cli

    light = not arguments or "--help" in arguments or "-h" in arguments or "_USEROPS_COMPLETE" in os.environ
    if light:
        sys.exit(cli.run(arguments))
    from userops.cli_support.guard import guarded

    sys.exit(guarded(lambda: cli.run(arguments)))


if __name__ == "__main__":
    main()
