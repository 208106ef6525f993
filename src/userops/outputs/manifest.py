"""What left the team: a small JSON file beside a shared result that says of what it was made and what was left out.

It names no clock and no person: the same inputs and options give the same bytes.
"""

from __future__ import annotations

import glob
import hashlib
import json
import os
from collections.abc import Iterable, Iterator
from typing import Any

from userops import __version__
from userops.outputs.sharing import Left
from userops.outputs.structured import as_json
from userops.results import Result

SUFFIX = ".manifest.json"
"""What the manifest's name has behind that of the result."""

HASHED_UP_TO = 256 * 2**20
"""Bytes of an input up to which its contents are hashed; of larger ones the size must do."""

_AT_ONCE = 2**20


def text(result: Result, left: Left, paths: Iterable[str], output: str, format: str) -> str:
    """The manifest of a result that was written to ``output``, made from what lies at ``paths``."""
    of = result.provenance
    settings = as_json(of.settings)
    tables = {name: frame.columns for name, frame in result.extras.items()} if format == "json" else {}
    told: dict[str, Any] = {
        "schema": "userops.manifest/1",
        "command": result.command,
        "version": __version__,
        "output": os.path.basename(output),
        "format": format,
        "as_of": of.as_of,
        "inputs": [_input(path) for path in dict.fromkeys(_files(paths))],
        "rows": result.rows.height,
        "columns": result.rows.columns,
        "tables": tables,
        **left.as_facts(),
        "settings_sha256": hashlib.sha256(json.dumps(settings, sort_keys=True).encode()).hexdigest(),
    }
    return json.dumps(told, ensure_ascii=False, indent=2, allow_nan=False) + "\n"


def _files(paths: Iterable[str]) -> Iterator[str]:
    """The files behind paths: those of folders and globs in order; what is no file as it is."""
    for path in paths:
        if os.path.isdir(path):
            yield from sorted(
                os.path.join(folder, name) for folder, _, names in os.walk(path) for name in names if name[0] != "."
            )
        elif os.path.exists(path) or path == "-":
            yield path
        else:
            yield from sorted(glob.glob(path, recursive=True)) or [path]


def _input(path: str) -> dict[str, Any]:
    """The name, the size and the contents' hash of a file; of a pipe or an address its name alone."""
    if not os.path.isfile(path):
        return {"name": "stdin" if path == "-" else path.partition("?")[0], "bytes": None, "sha256": None}
    size = os.path.getsize(path)
    return {"name": os.path.basename(path), "bytes": size, "sha256": _hash(path) if size <= HASHED_UP_TO else None}


def _hash(path: str) -> str:
    digest = hashlib.sha256()
    with open(path, "rb") as file:
        while part := file.read(_AT_ONCE):
            digest.update(part)
    return digest.hexdigest()
