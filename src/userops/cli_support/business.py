"""What the configuration, or a file of goals, says of the business: read, checked, and told apart from options."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from contextlib import suppress
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Any

from userops.checkup.goals import METRICS, OPERATORS, Business, Goal
from userops.cli_support import config, funnel_steps, lists, settings
from userops.errors import UsageError
from userops.funnel_rules import window

if TYPE_CHECKING:
    from datetime import timedelta

    from userops.cli_support.config import Config
    from userops.cli_support.running import Run

DEFAULT_WITHIN = "7d"

_COMPARISON = re.compile(r"\s*(<=|>=|<|>)\s*([+-]?(?:\d+\.?\d*|\.\d+)(?:e[+-]?\d+)?)\s*(%?)\s*", re.IGNORECASE)


def read(run: Run, goals: str | None = None, files: Sequence[str] | None = None) -> Business:
    """What is known of the business: of the file ``goals``, else of the configuration in force.

    Where the latter says nothing of it, the ``userops.toml`` of the one folder among ``files`` does. UsageError where an
    entry cannot be read or names no metric.
    """
    if goals is not None:
        found = config.read(goals)
        for key in found.values:
            if key not in config.BUSINESS_TABLES:
                raise UsageError.unknown_name("key", key, config.BUSINESS_TABLES, goals)
        return parse(found)
    found = settings.in_force(run.common.config, run.common.no_config)
    if not run.common.no_config and not set(found.values) & set(config.BUSINESS_TABLES):
        beside = [Path(file) / "userops.toml" for file in files or () if file != "-" and Path(file).is_dir()]
        if len(beside) == 1 and beside[0].is_file():
            found = config.read(str(beside[0]))
    return parse(found)


def parse(found: Config) -> Business:
    """The business a configuration describes."""
    where = str(found.path)
    funnel = _table(found, "funnel", None)
    event, within = _activation(found)
    return Business(
        goals=tuple(_goal(metric, text, where) for metric, text in _table(found, "goals", METRICS).items()),
        steps=_steps(funnel.get("steps", ()), where),
        within=_window(funnel.get("within"), where),
        activation_event=event,
        activation_within=within,
        vertical=_vertical(found),
        source=where if set(found.values) & set(config.BUSINESS_TABLES) else None,
        carried_out={key: _day(key, said, where) for key, said in _table(found, "carried_out", None).items()},
    )


def activation(run: Run, event: str | None, within: str | None) -> tuple[str | None, timedelta]:
    """The activation event and its window: as given, else as ``[activation]`` of the configuration has it, else 7 days."""
    said, length = _activation(settings.in_force(run.common.config, run.common.no_config))
    return event or said, lists.duration("--activation-within", within) if within else length


def _activation(found: Config) -> tuple[str | None, timedelta]:
    said = _table(found, "activation", ("event", "within"))
    if not all(isinstance(value, str) for value in said.values()):
        hint = 'such as event = "purchase" and within = "7d"'
        raise UsageError.settings_file(str(found.path), "[activation] takes event and within, as text", hint)
    option = f"within in [activation] of {found.path}"
    return said.get("event"), lists.duration(option, said.get("within", DEFAULT_WITHIN))


def _table(found: Config, name: str, keys: Sequence[str] | None) -> Mapping[str, Any]:
    """A table of the configuration, empty where it has none; ``keys``: the only ones it takes."""
    said = found.values.get(name, {})
    if not isinstance(said, dict):
        raise UsageError.settings_file(str(found.path), f"{name} is no table", f"write it as [{name}]")
    for key in said:
        if keys is not None and key not in keys:
            raise UsageError.unknown_name(
                "metric" if name == "goals" else "key", key, keys, f"[{name}] of {found.path}"
            )
    return said


def _goal(metric: str, text: object, where: str) -> Goal:
    """One target; a share may be written in per cent."""
    said = _COMPARISON.fullmatch(text) if isinstance(text, str) else None
    if said is None:
        wanted = f"a comparison ({' '.join(OPERATORS)}) and a number, such as '>= 0.4'"
        raise UsageError.bad_value(f"{metric} in [goals] of {where}", text, wanted)
    number = float(said[2])
    sign = next(known for known in OPERATORS if known == said[1])
    return Goal(metric, sign, number / 100 if said[3] else number)


def _day(key: str, said: object, where: str) -> date:
    """The day since when a prescription is carried out: a date of TOML, or one as text."""
    if isinstance(said, date):
        return said
    with suppress(ValueError):
        return date.fromisoformat(str(said))
    raise UsageError.bad_value(f"{key} in [carried_out] of {where}", said, "a day, such as 2026-11-01")


def _steps(said: object, where: str) -> tuple[str, ...]:
    """The steps of the funnel, each as it was written; UsageError where one cannot be read."""
    entries = [said] if isinstance(said, str) else said
    if isinstance(entries, (list, tuple)) and all(isinstance(entry, str) for entry in entries):
        return tuple(written.step.text for written in funnel_steps.parse(entries))
    raise UsageError.bad_value(f"steps in [funnel] of {where}", said, 'names of events, such as ["view", "buy"]')


def _window(said: object, where: str) -> str | None:
    if said is None:
        return None
    if isinstance(said, str):
        with suppress(UsageError):
            window(said)
            return said
    raise UsageError.bad_value(f"within in [funnel] of {where}", said, "such as 30m, 7d, same-day or none")


def _vertical(found: Config) -> str | None:
    said = found.values.get("vertical")
    if said is not None and not isinstance(said, str):
        raise UsageError.settings_file(str(found.path), "vertical is no text", 'such as vertical = "e-commerce"')
    return said
