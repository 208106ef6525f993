"""Writes the parts of the documents that the code knows best: run it after a change to a command, a result or a layout.

``python docs/generate.py`` writes; ``python docs/generate.py --check`` only says which documents are stale, and then
leaves with 1. A part stands between ``<!-- generated: NAME -->`` and ``<!-- end: NAME -->``; what is around it is
written by hand and stays.
"""

from __future__ import annotations

import os
import re
import sys
import tomllib
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
DOCUMENTS = ("docs/commands.md", "docs/formats.md", "docs/methods.md", "ARCHITECTURE.md")
WIDTH = "100"

_PART = re.compile(r"(<!-- generated: (?P<name>\S+) -->\n).*?(<!-- end: (?P=name) -->)", re.DOTALL)


def main(arguments: Sequence[str]) -> int:
    """Write the documents, or with ``--check`` name those that would change."""
    stale = [name for name, text in documents().items() if (ROOT / name).read_text(encoding="utf-8") != text]
    if "--check" in arguments:
        for name in stale:
            print(f"{name} is stale: python docs/generate.py", file=sys.stderr)
        return 1 if stale else 0
    for name, text in documents().items():
        (ROOT / name).write_text(text, encoding="utf-8")
    print(f"written: {', '.join(stale) or 'nothing to change'}")
    return 0


def documents() -> dict[str, str]:
    """Every document with generated parts, by its path, as it should read."""
    return {name: _filled((ROOT / name).read_text(encoding="utf-8")) for name in DOCUMENTS}


def _filled(text: str) -> str:
    return _PART.sub(lambda found: f"{found[1]}\n{PARTS[found['name']]().strip()}\n\n{found[3]}", text)


# --- commands -------------------------------------------------------------------------------------------------------


def program() -> Any:
    """The whole command line, as Typer has it, drawn plainly and always as wide."""
    os.environ.update(COLUMNS=WIDTH, NO_COLOR="1")
    for name in ("FORCE_COLOR", "CLICOLOR_FORCE"):
        os.environ.pop(name, None)
    import typer

    from userops import cli

    return typer.main.get_command(cli.app)


def commands() -> dict[str, Any]:
    """Every command under its full name, such as ``config show``, in the order of the help."""
    from userops.cli_support.settings import commands_of

    return {name: command for name, command in commands_of(program()) if not command.hidden}


def _overview() -> str:
    from userops.cli_support.help import page_for

    return _literal(page_for(program(), ()))


def _commands() -> str:
    from userops.cli_support.help import page_for
    from userops.cli_support.schemas import ENVELOPES, of

    parts = []
    for name in commands():
        parts.append(f"## userops {name}\n\n{_literal(page_for(program(), name.split()))}")
        if name in ENVELOPES:
            parts.append("\n\n".join(_shapes(name, of(name))))
    return "\n\n".join(parts)


def _shapes(command: str, schema: dict[str, Any]) -> Iterator[str]:
    """The tables of what ``--json`` holds: the summary, and each shape a row can have."""
    known, properties = schema["$defs"], schema["properties"]
    rows = properties["rows"]["items"]
    shapes = [known[_name(choice)] for choice in rows.get("anyOf", [rows])]
    summaries = [known[_name(choice)] for choice in properties["summary"].get("anyOf", [properties["summary"]])]
    yield f"With `--json` the schema is `{properties['schema']['const']}`."
    for title, shape in [*(("row", shape) for shape in shapes), *(("summary", shape) for shape in summaries)]:
        if shape.get("properties"):
            yield f"**A {title}.** {shape.get('description', '')}".replace("**A summary.**", "**The summary.**")
            yield _table(("key", "type", "meaning"), _fields(shape))


def _fields(shape: dict[str, Any]) -> Iterator[tuple[str, str, str]]:
    for name, field in shape["properties"].items():
        yield f"`{name}`", _type(field), field.get("description", "")


def _name(reference: dict[str, Any]) -> str:
    return str(reference["$ref"]).rpartition("/")[2]


def _type(field: dict[str, Any]) -> str:
    if "anyOf" in field:
        return " or ".join(_type(choice) for choice in field["anyOf"])
    return str(field.get("format") or field.get("type", "any"))


def _topics() -> str:
    from userops.cli_support import topics

    program()  # the width
    pages = [("Exit codes", "exit-codes"), ("Environment", "environment")]
    return "\n\n".join(f"## {title}\n\n{_literal(topics.text_of(topic))}" for title, topic in pages)


# --- formats --------------------------------------------------------------------------------------------------------


def _layouts() -> str:
    from userops.inputs.layouts import LAYOUTS

    rows: dict[str, tuple[str, ...]] = {}
    for layout in LAYOUTS:
        about = f"[about]({layout.source_url})" if layout.source_url else ""
        grain = {"line": "line of an order", "order": "order", None: "event" if layout.kind == "events" else ""}
        names = ", ".join(f"`{name}`" for name in (layout.name, *layout.aliases))
        users = ", ".join(layout.roles["user_id"])
        row = (names, layout.kind, grain[layout.grain], users, layout.timezone or "", about)
        rows.setdefault(layout.name, row)
    return _table(("layout", "holds", "a row is", "user id from", "its time zone", ""), rows.values())


def _suffixes() -> str:
    from userops.outputs import FORMATS, SUFFIXES

    def of(format: str) -> str:
        return " ".join(f"`{suffix}`" for suffix, known in SUFFIXES.items() if known == format)

    return _table(("format", "file names"), ((f"`{format}`", of(format)) for format in FORMATS))


def _rejects() -> str:
    from userops.frames import REASON_TEXTS

    return _table(("reason", "in words", "中文"), ((f"`{r}`", text.en, text.zh) for r, text in REASON_TEXTS.items()))


def _placeholders() -> str:
    from userops.frames import PLACEHOLDER_IDS

    return " ".join(f"`{name}`" for name in PLACEHOLDER_IDS)


# --- methods --------------------------------------------------------------------------------------------------------


def _champions11() -> str:
    from userops.texts.segments import CHAMPIONS11

    cells = CHAMPIONS11.cells or {}
    rows = ((s.name, s.name_zh, str(len(cells[s.name].split())), cells[s.name]) for s in CHAMPIONS11.segments)
    return _table(("segment", "中文", "cells", "R F M scores"), rows)


def _value_tiers() -> str:
    from userops.texts.segments import VALUE_TIERS

    names = {segment.name: segment.name_zh for segment in VALUE_TIERS.segments}
    rules = enumerate(VALUE_TIERS.rules, 1)
    rows = ((str(i), name, names[name], *(axis.replace("*", "any") for axis in axes)) for i, (name, *axes) in rules)
    return _table(("rule", "segment", "中文", "R", "F", "M"), rows)


def _cn8() -> str:
    from userops.texts.segments import CN8

    names = {segment.name: segment.name_zh for segment in CN8.segments}
    rows = ((*("high" if axis == "2" else "low" for axis in axes), names[name], name) for name, *axes in CN8.rules)
    return _table(("R", "F", "M", "八分法", "in English"), rows)


# --- architecture ---------------------------------------------------------------------------------------------------


def _layers() -> str:
    """The layers as ``pyproject.toml`` has import-linter enforce them."""
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["importlinter"]
    layers = next(contract["layers"] for contract in settings["contracts"] if contract["type"] == "layers")
    return _literal("\n".join(layer.replace("userops.", "") for layer in layers))


# --- words ----------------------------------------------------------------------------------------------------------


def _literal(text: str) -> str:
    return f"```text\n{text.rstrip()}\n```"


def _table(headers: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [headers, ["---"] * len(headers), *rows]
    return "\n".join(f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in line)} |" for line in lines)


def _compat() -> str:
    """What each product's preset sets, and what of it cannot be had."""
    from userops.texts.compat import PRESETS

    names = ("period", "cohort", "clock", "mode", "day_zero", "average", "week_start")
    head = ["`--compat`", *(f"`--{name.replace('_', '-')}`" for name in names)]
    rows = [[f"`{preset.name}`", *(preset.settings.get(name, "") for name in names)] for preset in PRESETS.values()]
    said = "\n\n".join(
        f"**{preset.title.en}** ([its document]({preset.source})). {' '.join(text.en for text in preset.differs)}"
        for preset in PRESETS.values()
    )
    return f"{_table(head, rows)}\n\n{said}"


PARTS: dict[str, Callable[[], str]] = {
    "overview": _overview,
    "commands": _commands,
    "topics": _topics,
    "layouts": _layouts,
    "suffixes": _suffixes,
    "rejects": _rejects,
    "placeholders": _placeholders,
    "champions11": _champions11,
    "value-tiers": _value_tiers,
    "cn8": _cn8,
    "layers": _layers,
    "compat": _compat,
}
"""What each generated part holds, by its name."""


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
