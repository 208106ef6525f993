"""Talk on stderr: notes, warnings and errors, as plain lines or as one JSON object a line.

Stdout carries data and nothing else. It is flushed before every line here, so that the two streams read in the same
order in a pipe as on a terminal.
"""

from __future__ import annotations

import json
import re
import sys
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, Self, TextIO, get_args

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from userops.errors import UseropsError

ColorChoice = Literal["auto", "always", "never"]

_STYLES = {"error": "\x1b[1;31m", "warning": "\x1b[33m", "note": "\x1b[2m", "hint": "\x1b[36m"}


def wants_color(choice: ColorChoice, stream: TextIO, environ: Mapping[str, str]) -> bool:
    """Whether to colour a stream: flag, then NO_COLOR, then FORCE_COLOR, then whether it is a terminal that can."""
    if choice != "auto":
        return choice == "always"
    if environ.get("NO_COLOR"):
        return False
    if environ.get("FORCE_COLOR") or environ.get("CLICOLOR_FORCE"):
        return True
    return stream.isatty() and environ.get("TERM", "dumb") != "dumb"


def printable(text: str) -> str:
    """Text of a file, a path or a cell without control characters, so that it cannot steer the terminal."""
    return "".join(c if c.isprintable() else "�" for c in text)


@dataclass(frozen=True, slots=True)
class Talk:
    """One run's voice. ``quiet`` silences notes and warnings, never errors; ``verbose`` lets details through."""

    quiet: bool = False
    verbose: int = 0
    color: bool = False
    as_json: bool = False

    @classmethod
    def overheard(cls, arguments: Sequence[str], environ: Mapping[str, str]) -> Self:
        """The voice before the options are understood: what their words alone say of it."""
        said = " ".join(arguments)

        def value(option: str) -> str | None:
            found = re.search(rf"--{option}[ =](\S+)", said)
            return found[1] if found else environ.get(f"USEROPS_{option.replace('-', '_').upper()}")

        choice: ColorChoice = next((c for c in get_args(ColorChoice) if c == value("color")), "auto")
        return cls(
            verbose=2 if "-vv" in arguments else 0,
            color=wants_color(choice, sys.stderr, environ),
            as_json=value("log-format") == "json",
        )

    def note(self, message: str) -> None:
        """Something decided or counted."""
        if not self.quiet:
            self._say("note", message)

    def detail(self, message: str) -> None:
        """Something for the curious, with -v."""
        if self.verbose:
            self._say("note", message)

    def insist(self, message: str) -> None:
        """Something that must be known even of a quiet run: a message that was not delivered."""
        self._say("warning", message)

    def warn(self, message: str) -> None:
        """Something that may mislead."""
        if not self.quiet:
            self._say("warning", message)

    def error(self, error: UseropsError, exit_code: int) -> None:
        """What went wrong, and what to do; with -vv, where it was found."""
        if self.verbose > 1 and sys.exc_info()[0]:
            import traceback

            self._write(traceback.format_exc())
        self._say("error", error.message, hint=error.hint, code=error.code, exit=exit_code)

    def _say(self, level: str, message: str, hint: str | None = None, **more: object) -> None:
        with suppress(OSError, ValueError):  # stdout is closed or broken: what is said here matters all the more
            sys.stdout.flush()
        if self.as_json:
            entry = {"level": level, **more, "message": printable(message)} | (
                {"hint": printable(hint)} if hint else {}
            )
            self._write(json.dumps(entry, ensure_ascii=False) + "\n")
            return
        lines = [f"userops: {self._styled(level, level + ':')} {printable(message)}"]
        if hint:
            lines.append(f"  {self._styled('hint', 'hint:')} {printable(hint)}")
        self._write("\n".join(lines) + "\n")

    def _write(self, text: str) -> None:
        with suppress(OSError, ValueError):  # nobody listens
            sys.stderr.write(text)
            sys.stderr.flush()

    def _styled(self, level: str, text: str) -> str:
        return f"{_STYLES[level]}{text}\x1b[0m" if self.color else text
