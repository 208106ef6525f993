"""The configuration in force for one run, as defaults of the options."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

from userops.cli_support import config
from userops.cli_support.options import key_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

HOW_CONFIG_IS_FOUND = frozenset({"config", "no_config", "help"})
"""Options a configuration file cannot hold."""

NO = frozenset({"", "0", "false", "no", "off", "n", "f"})
"""What a variable says that is set and means no."""


def in_force(named: str | None, none_at_all: bool) -> config.Config:
    """The file named by ``--config`` or ``USEROPS_CONFIG``, none with ``--no-config``, else the nearest one."""
    if none_at_all:
        return config.Config()
    return config.read(named) if named else config.find(os.environ, Path.cwd())


def commands_of(group: Any, within: str = "") -> Iterator[tuple[str, Any]]:
    """Every command under its full name, such as ``config show``."""
    for name, command in group.commands.items():
        if hasattr(command, "commands"):
            yield from commands_of(command, f"{within}{name} ")
        else:
            yield f"{within}{name}", command


def options_of(group: Any) -> dict[str, dict[str, bool]]:
    """The options of every command, by command name and key, and whether each can be repeated."""
    return {name: {key: p.multiple for key, p in options.items()} for name, options in _declared(group).items()}


def _declared(group: Any) -> dict[str, dict[str, Any]]:
    """The options of every command as they were declared, by command name and key."""
    return {
        name: {
            key_of(p.opts): p
            for p in command.params
            if p.param_type_name == "option" and p.name not in HOW_CONFIG_IS_FOUND
        }
        for name, command in commands_of(group)
    }


def defaults_for(group: Any, args: Sequence[str]) -> dict[str, Any]:
    """Defaults of every command's options, as the configuration in force sets them, nested as the commands are."""
    named = os.environ.get("USEROPS_CONFIG")
    none_at_all = os.environ.get("USEROPS_NO_CONFIG", "").casefold() not in NO
    for place, argument in enumerate(args):
        if argument == "--no-config":
            none_at_all = True
        elif argument == "--config" and place + 1 < len(args):
            named = args[place + 1]
        elif argument.startswith("--config="):
            named = argument.removeprefix("--config=")
    nested: dict[str, Any] = {}
    declared = _declared(group)
    for command, defaults in in_force(named, none_at_all).defaults(options_of(group)).items():
        within = nested
        for word in command.split():
            within = within.setdefault(word, {})
        within.update({declared[command][key].name: value for key, value in defaults.items()})
    return nested
