"""Help pages that lead with what to type: one sentence, examples, then the options by purpose.

Written without Rich, which would double the time ``--help`` takes. Headings are bold on a terminal that can.
"""

from __future__ import annotations

import os
import shutil
import sys
import textwrap
from typing import TYPE_CHECKING, Any

from typer.core import TyperCommand, TyperGroup

from userops.cli_support.diagnostics import wants_color

if TYPE_CHECKING:
    from collections.abc import Sequence

EXAMPLES: dict[str, tuple[str, ...]] = {}
"""Examples of each command by name, filled where the commands are declared."""

FIRST_COLUMN = 32


class HelpfulCommand(TyperCommand):
    """A command whose help is drawn by :func:`command_page`; in a variable, ``;`` parts what can be repeated."""

    def __init__(self, *args: Any, **more: Any) -> None:
        super().__init__(*args, **more)
        param: Any  # Typer declares it for the class alone
        for param in self.params:
            param.envvar_list_splitter = ";"

    def format_help(self, ctx: Any, formatter: Any) -> None:
        """Write the page; Typer prints what the formatter holds."""
        formatter.write(command_page(self, ctx))


class HelpfulGroup(TyperGroup):
    """The program; its help lists the commands by purpose. Configuration becomes the commands' defaults."""

    def format_help(self, ctx: Any, formatter: Any) -> None:
        """Write the page; Typer prints what the formatter holds."""
        formatter.write(group_page(self, ctx))

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        """Find the command, with the configuration in force as its defaults."""
        found = super().resolve_command(ctx, args)
        if ctx.parent is None and not ctx.resilient_parsing:
            from userops.cli_support.settings import defaults_for

            ctx.default_map = defaults_for(self, args)
        return found


def page_for(program: Any, arguments: Sequence[str]) -> str:
    """The help asked for on a command line: of the command it names, else of the program.

    Found without parsing the options, which would load what only a run needs.
    """
    command, ctx = program, program.context_class(program, info_name="userops", **program.context_settings)
    for word in arguments:
        if hasattr(command, "commands") and not word.startswith("-"):
            inner: Any = TyperGroup.resolve_command(command, ctx, [word])[1]  # unknown: Typer complains, and suggests
            command, ctx = inner, inner.context_class(inner, info_name=word, parent=ctx)
    return group_page(command, ctx) if hasattr(command, "commands") else command_page(command, ctx)


def command_page(command: Any, ctx: Any) -> str:
    """The help of one command."""
    parts = [
        f"{_bold('Usage:')} {ctx.command_path} {_usage(command, ctx)}",
        textwrap.dedent(command.help or "").strip(),
    ]
    if examples := EXAMPLES.get(command.name or ""):
        parts.append(_section("Examples", "\n".join(f"  {line}" for line in examples)))
    panels: dict[str, list[tuple[str, str]]] = {}
    for param in command.get_params(ctx):
        if getattr(param, "hidden", False):
            continue
        if param.param_type_name == "argument":
            if param.help:
                panels.setdefault("Input", []).append((param.metavar or param.name.upper(), param.help))
            continue
        record = param.get_help_record(ctx)
        if record:
            panels.setdefault(param.rich_help_panel or "Options", []).append((_names(param, ctx), param.help or ""))
    order = ["Options", "Input", "Engine", "Output", "Run"]
    titles = sorted(panels, key=lambda title: order.index(title) if title in order else -1)
    parts += [_section(title, _rows(panels[title])) for title in titles]
    return "\n\n".join(parts) + "\n"


def group_page(group: Any, ctx: Any) -> str:
    """The help of the program: what it is, how to begin, the commands by purpose."""
    parts = [f"{_bold('Usage:')} {ctx.command_path} COMMAND ...", textwrap.dedent(group.help or "").strip()]
    if examples := EXAMPLES.get(group.name or "userops"):
        parts.append(_section("Begin", "\n".join(f"  {line}" for line in examples)))
    panels: dict[str, list[tuple[str, str]]] = {}
    for name in group.list_commands(ctx):
        command = group.get_command(ctx, name)
        if command is not None and not command.hidden:
            first = (command.help or "").strip().splitlines()[0].rstrip(".")
            panels.setdefault(command.rich_help_panel or "Commands", []).append((name, first))
    parts += [_section(title, _rows(rows, first=12)) for title, rows in panels.items()]
    options = [(_names(p, ctx), p.help or "") for p in group.get_params(ctx) if p.param_type_name == "option"]
    parts.append(_section("Options", _rows(options)))
    parts.append(
        "userops COMMAND --help shows a command's options; userops help TOPIC: formats, layouts, environment, exit-codes."
    )
    return "\n\n".join(parts) + "\n"


def _usage(command: Any, ctx: Any) -> str:
    pieces = [p.metavar or p.name.upper() for p in command.get_params(ctx) if p.param_type_name == "argument"]
    return " ".join([*pieces, "[options]"])


def _names(param: Any, ctx: Any) -> str:
    names = ", ".join(sorted(param.opts, key=len))
    if param.secondary_opts:
        return f"{names} / {', '.join(param.secondary_opts)}"
    if param.is_flag or param.count:
        return names
    return f"{names} {param.metavar or (param.display_type_rich(ctx) or '').strip('[]')}"


def _section(title: str, body: str) -> str:
    return f"{_bold(title)}\n{body}"


def _rows(rows: Sequence[tuple[str, str]], first: int = FIRST_COLUMN) -> str:
    """Names left, what they do right; a long name takes a line of its own."""
    room = max(40, min(shutil.get_terminal_size((100, 24)).columns, 110) - first - 4)
    lines = []
    for name, text in rows:
        wrapped = textwrap.wrap(text, room) or [""]
        beside = name if len(name) <= first else ""
        if not beside:
            lines.append(f"  {name}")
        lines.append(f"  {beside:<{first}}  {wrapped[0]}".rstrip())
        lines += [f"  {'':<{first}}  {line}" for line in wrapped[1:]]
    return "\n".join(lines)


def _bold(text: str) -> str:
    return f"\x1b[1m{text}\x1b[0m" if wants_color("auto", sys.stdout, os.environ) else text
