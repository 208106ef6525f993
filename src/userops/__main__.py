"""The ``userops`` program: every command runs under guard; ``--version`` is answered at once."""

from __future__ import annotations

import os
import signal
import sys


def main() -> None:
    """Run the command line and leave with its exit code."""
    if sys.argv[1:] in (["--version"], ["-V"]) and _version_said():
        return
    if hasattr(os, "fork") and signal.getsignal(signal.SIGINT) is signal.default_int_handler:
        signal.signal(signal.SIGINT, lambda *_: os._exit(130))  # until the guard stands, with nothing to tidy up
    sys.exit(_guarded(sys.argv[1:]))


def _guarded(arguments: list[str]) -> int:
    from userops.cli_support.diagnostics import Talk
    from userops.cli_support.guard import guarded, open_standard_streams
    from userops.cli_support.running import ended

    open_standard_streams()
    talk = Talk.overheard(arguments, os.environ)
    return guarded(lambda: ended(lambda: _run(arguments), talk), talk)


def _version_said() -> bool:
    """Whether the version is on stdout; where that is broken, the long way says what is wrong."""
    from userops import __version__

    try:
        os.write(1, f"userops {__version__}\n".encode())
    except OSError:
        return False
    return True


def _run(arguments: list[str]) -> int | None:
    if arguments in (["--version"], ["-V"]):
        from userops import __version__
        from userops.cli_support.running import put

        put(f"userops {__version__}\n")
        return None
    from userops import cli

    return cli.run(arguments)


if __name__ == "__main__":
    main()
