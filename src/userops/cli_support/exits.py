"""Exit codes: the contract with shells and schedulers, and which error means which."""

from __future__ import annotations

from enum import IntEnum

from userops.errors import InputError, UsageError, UseropsError


class Exit(IntEnum):
    """What a run says to the shell."""

    OK = 0
    BUG = 1
    USAGE = 2
    INPUT = 3
    BREACH = 4
    INTERRUPTED = 130


def code_of(error: UseropsError) -> Exit:
    """The exit code of an error a user can mend."""
    if isinstance(error, UsageError):
        return Exit.USAGE
    return Exit.INPUT if isinstance(error, InputError) else Exit.BUG
