"""The ``userops`` program: every command runs under guard; ``--version`` is answered at once."""

from __future__ import annotations

import os
import sys

from userops.cli_support.diagnostics import Talk
from userops.cli_support.guard import guarded, open_standard_streams
from userops.cli_support.running import ended, put


def main() -> None:
    """Run the command line and leave with its exit code."""
    open_standard_streams()
    arguments = sys.argv[1:]
    talk = Talk.overheard(arguments, os.environ)
    sys.exit(guarded(lambda: ended(lambda: _run(arguments), talk), talk))


def _run(arguments: list[str]) -> int | None:
    if arguments in (["--version"], ["-V"]):  # without loading Typer
        from userops import __version__

        return put(f"userops {__version__}\n")
    from userops import cli

    return cli.run(arguments)


if __name__ == "__main__":
    main()
