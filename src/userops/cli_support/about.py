"""The installation and the settings in play, as results like any other."""

from __future__ import annotations

import importlib.metadata
import locale
import os
import platform
import sys
from typing import TYPE_CHECKING, Any

import polars as pl

from userops import __version__
from userops.cli_support import settings as in_play
from userops.cli_support.options import environment_name, key_of
from userops.results import Column, Provenance, Result, TableBlock, Text

if TYPE_CHECKING:
    from userops.cli_support.options import Common

LIBRARIES = ("polars", "pyarrow", "typer", "rich", "pydantic", "scikit-learn", "fastexcel")


def doctor(common: Common) -> Result:
    """Versions of userops, Python and the libraries; the machine; the configuration file in force."""
    found = in_play.in_force(common.config, common.no_config)
    facts = [
        ("userops", __version__),
        ("python", f"{platform.python_version()} ({platform.python_implementation()})"),
        *((name, _version(name)) for name in LIBRARIES),
        ("system", f"{platform.system()} {platform.machine()}"),
        ("processors", str(os.cpu_count())),
        ("polars threads", str(pl.thread_pool_size())),
        ("encoding", f"{sys.getfilesystemencoding()}, locale {locale.getlocale()[0] or 'C'}"),
        ("configuration", str(found.path) if found.path else "none"),
        ("variables", ", ".join(sorted(n for n in os.environ if n.startswith("USEROPS_"))) or "none"),
    ]
    rows = pl.DataFrame(facts, schema={"what": pl.String, "value": pl.String}, orient="row")
    columns = (Column("what", Text("What", "项目")), Column("value", Text("Value", "值")))
    return _plain("doctor", rows, TableBlock(Text("This installation", "安装情况"), columns, rows))


def settings(group: Any, common: Common) -> Result:
    """Every option of every command with its value and its source: environment, file or default."""
    found = in_play.in_force(common.config, common.no_config)
    options = in_play.options_of(group)
    from_file = found.defaults(options)
    rows = []
    for command, declared in sorted(in_play.commands_of(group)):
        defaults = {key_of(p.opts): p.default for p in declared.params if p.param_type_name == "option"}
        for name in sorted(options[command]):
            variable = environment_name(name)
            if os.environ.get(variable):
                value, source = os.environ[variable], variable
            elif name in from_file[command]:
                value, source = from_file[command][name], str(found.path)
            else:
                value, source = defaults[name], "default"
            shown = "" if value in ("", None) else str(value)
            rows.append((command, f"--{name.replace('_', '-')}", shown, source))
    schema = {"command": pl.String, "option": pl.String, "value": pl.String, "source": pl.String}
    table = pl.DataFrame(rows, schema=schema, orient="row")
    columns = tuple(
        Column(name, Text(en, zh))
        for name, en, zh in (
            ("command", "Command", "命令"),
            ("option", "Option", "选项"),
            ("value", "Value", "值"),
            ("source", "From", "来源"),
        )
    )
    where = str(found.path.resolve()) if found.path else None
    title = Text(f"Settings; file: {where or 'none'}", f"设置;配置文件:{where or '无'}")
    chosen = table.filter(pl.col("source") != "default")
    return _plain("config-show", table, TableBlock(title, columns, chosen if chosen.height else table), file=where)


def _plain(command: str, rows: pl.DataFrame, view: TableBlock, **summary: Any) -> Result:
    return Result(command, rows, summary, Provenance(None, "UTC", "monday", (), {}, ()), views=(view,))


def _version(library: str) -> str:
    try:
        return importlib.metadata.version(library)
    except importlib.metadata.PackageNotFoundError:
        return "not installed"
