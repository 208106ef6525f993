"""Earlier reports as files: one read to compare with, and the folder that keeps one per night."""

from __future__ import annotations

import json
import os
import re
from pathlib import Path
from typing import TYPE_CHECKING

from userops.errors import InputError, OutputError, UseropsError

if TYPE_CHECKING:
    from collections.abc import Iterable
    from datetime import date

    from userops.checkup.follow import Report

_NAME = re.compile(r"(\d{4}-\d{2}-\d{2})\.json")


def read_report(path: str) -> Report:
    """The report that an earlier run wrote as JSON; InputError where the file is missing, or something else."""
    from userops.checkup import follow

    try:
        document = json.loads(Path(path).read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise InputError.not_found(path) from None
    except OSError as problem:
        raise InputError.unreadable(path, problem.strerror or "it cannot be read") from None
    except (ValueError, RecursionError):
        raise InputError.not_a_report(path, "it is no JSON") from None
    return follow.report(document, path)


def read_nights(folder: str, before: date) -> tuple[list[Report], list[UseropsError]]:
    """The reports of the nights before, the earliest first, and what is wrong with those that cannot be read.

    A folder that is not there yet holds none. Only files named by their day (``2026-11-30.json``) are looked at; one
    that is damaged must not stop the nights after it.
    """
    try:
        names = sorted(name for name in os.listdir(folder) if _NAME.fullmatch(name) and name < f"{before}.json")
    except FileNotFoundError:
        return [], []
    except OSError as problem:
        raise InputError.unreadable(folder, problem.strerror or "it cannot be read") from None
    reports: list[Report] = []
    problems: list[UseropsError] = []
    for name in names:
        try:
            reports.append(read_report(os.path.join(folder, name)))
        except InputError as problem:
            problems.append(problem)
    return reports, problems


def keep_night(folder: str, as_of: date, parts: Iterable[str]) -> str:
    """Where tonight's report was kept: ``FOLDER/2026-11-30.json``, in place of an earlier one of the same day.

    ``parts``: its JSON. The folder is made where it is missing; OutputError where it cannot be written to.
    """
    from userops.outputs import saving

    path = os.path.join(folder, f"{as_of}.json")
    try:
        os.makedirs(folder, exist_ok=True)
    except OSError as problem:
        raise OutputError.not_written(path, problem.strerror or "no folder can be made") from None
    saving.write_atomically(path, lambda handle: handle.writelines(part.encode() for part in parts))
    return path
