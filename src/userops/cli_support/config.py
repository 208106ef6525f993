"""Settings from files: which file holds, what is in it, and where each value came from.

Order: option on the command line, then ``USEROPS_*``, then the nearest ``userops.toml`` (or ``[tool.userops]`` of a
``pyproject.toml``) in this folder or above, then ``$XDG_CONFIG_HOME/userops/config.toml``, then the default. The
nearest file hides the others whole.

A top-level key sets an option of every command that has it, a table named after a command sets one of that command::

    tz = "Asia/Shanghai"
    [rfm]
    bins = 4
"""

from __future__ import annotations

import tomllib
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from userops.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Mapping

BUSINESS_TABLES = ("vertical", "goals", "funnel", "activation", "carried_out")
"""Keys that describe the business rather than set options; the commands that need them read them."""


@dataclass(frozen=True, slots=True)
class Config:
    """The configuration file in force (None: none) and what it holds."""

    path: Path | None = None
    values: Mapping[str, Any] = field(default_factory=dict)

    def defaults(self, options: Mapping[str, Mapping[str, bool]]) -> dict[str, dict[str, Any]]:
        """Defaults by command and parameter name; ``options``: those each command has, and whether they repeat.

        Unknown keys are UsageErrors with the closest known one: a typing error must not be a silent default.
        """
        where = str(self.path)
        every = sorted({name for names in options.values() for name in names})
        found: dict[str, dict[str, Any]] = {command: {} for command in options}
        for key, value in self.values.items():
            name = key.replace("-", "_")
            if key in options and isinstance(value, dict):
                for inner, setting in value.items():
                    if inner.replace("-", "_") not in options[key]:
                        raise UsageError.unknown_name("key", inner, sorted(options[key]), f"[{key}] of {where}")
                    option = inner.replace("-", "_")
                    found[key][option] = _as_option(setting, repeats=options[key][option])
            elif name in every and not (key in BUSINESS_TABLES and isinstance(value, dict)):
                for command, names in options.items():
                    if name in names:
                        found[command].setdefault(name, _as_option(value, repeats=names[name]))
            elif key not in BUSINESS_TABLES:
                raise UsageError.unknown_name("key", key, [*every, *options, *BUSINESS_TABLES], where)
        return found


def find(environ: Mapping[str, str], start: Path) -> Config:
    """The configuration that holds for a run in the folder ``start``."""
    for folder in [start, *start.parents]:
        own, shared = folder / "userops.toml", folder / "pyproject.toml"
        if own.is_file():
            return Config(own, _read(own))
        if shared.is_file():
            section = _read(shared).get("tool", {}).get("userops")
            if section is not None:
                return Config(shared, section)
    base = environ.get("XDG_CONFIG_HOME") or (f"{environ['HOME']}/.config" if environ.get("HOME") else "")
    personal = Path(base) / "userops" / "config.toml"
    return Config(personal, _read(personal)) if base and personal.is_file() else Config()


def read(path: str) -> Config:
    """The configuration a user named."""
    return Config(Path(path), _read(Path(path)))


def _read(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as problem:
        raise UsageError.settings_file(str(path), problem.strerror or "cannot be read") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as problem:
        raise UsageError.settings_file(str(path), f"is not TOML: {problem}") from None


def _as_option(value: Any, *, repeats: bool) -> Any:
    """A TOML value as an option takes it: tables (``[map]``) as ``key=value`` entries, dates as text."""
    if isinstance(value, dict):
        return [f"{key}={entry}" for key, entry in value.items()]
    if isinstance(value, list):
        entries = [str(entry) for entry in value]
        return entries if repeats else ",".join(entries)
    plain = value if isinstance(value, (bool, int, float, str)) else str(value)
    return [str(plain)] if repeats else plain
