"""What Typer complains of, in our words."""

from __future__ import annotations

import re
from typing import Any

from userops.errors import UsageError, UseropsError


def usage_error(mistake: Any) -> UseropsError:
    """Typer's complaint as an error of ours: what was given, where it came from, what is known."""
    message, ctx, param = mistake.format_message().rstrip("."), mistake.ctx, getattr(mistake, "param", None)
    choice = re.search(r"'([^']*)' is not one of (.+)", message)
    if choice and param:
        return UsageError.unknown_name(max(param.opts, key=len), choice[1], re.findall(r"'([^']+)'", choice[2]))
    hint = f"{ctx.command_path if ctx else 'userops'} --help shows what it takes"
    if ctx and param:
        source = getattr(ctx.get_parameter_source(param.name), "name", "")
        says = {
            "ENVIRONMENT": f"{param.envvar} says so",
            "DEFAULT_MAP": "the configuration file says so: userops config show",
        }
        hint = says.get(source, hint)
    return UsageError("E_USAGE", message, hint)
