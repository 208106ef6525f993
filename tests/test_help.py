"""The help pages: golden, complete, and true: their examples parse, and one option reads the same everywhere."""

from __future__ import annotations

import re
import shlex
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import typer

import golden
from userops.cli import app
from userops.cli_support.help import EXAMPLES
from userops.cli_support.options import COMMON
from userops.cli_support.settings import commands_of

Userops = Callable[..., Any]

PROGRAM: Any = typer.main.get_command(app)
COMMANDS = dict(commands_of(PROGRAM))
PAGES = ["", "config", *COMMANDS]


def options() -> Iterator[tuple[str, Any]]:
    for name, command in COMMANDS.items():
        for param in command.params:
            if param.param_type_name == "option":
                yield name, param


@pytest.fixture(autouse=True)
def a_page_of_100_columns(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "100")
    monkeypatch.setenv("NO_COLOR", "1")


@pytest.mark.parametrize("page", PAGES)
def test_pages(page: str, userops: Userops) -> None:
    ran = userops(*page.split(), "--help")
    assert (ran.code, ran.err) == (0, "")
    assert userops(*page.split(), "-h").out == ran.out
    golden.check(f"help/{page.replace(' ', '-') or 'userops'}.txt", ran.out)


@pytest.mark.parametrize("topic", ["formats", "exit-codes", "environment"])
def test_topics(topic: str, userops: Userops) -> None:
    golden.check(f"help/topic-{topic}.txt", userops("help", topic).out)


def test_help_where_nothing_was_asked_is_the_same_page(userops: Userops) -> None:
    assert userops().err.strip() == userops("--help").out.strip()
    assert userops("config").err.strip() == userops("config", "--help").out.strip()


@pytest.mark.parametrize("page", PAGES)
def test_pages_fit(page: str, userops: Userops) -> None:
    """All but prose, which people wrap by hand at 120."""
    for line in userops(*page.split(), "--help").out.splitlines():
        assert len(line) <= 120
        assert line == line.rstrip()


@pytest.mark.parametrize("name", COMMANDS)
def test_the_first_line_says_it_all(name: str) -> None:
    first = COMMANDS[name].help.strip().splitlines()[0]
    assert len(first) <= 80
    assert first.endswith(".")
    assert first[0].isupper()


def test_every_option_has_help_and_says_so_in_a_sentence() -> None:
    for command, param in options():
        assert param.help, (command, param.name)
        assert param.help.endswith((".", ")")), (command, param.name)
        assert len(param.help) <= 120, (command, param.name)


def test_a_shared_option_is_the_same_in_every_command() -> None:
    shared = {p.name for p in COMMON}
    seen: dict[str, Any] = {}
    for command, param in options():
        looks = (
            param.opts,
            param.secondary_opts,
            param.help,
            param.metavar,
            param.default,
            param.envvar,
            param.multiple,
        )
        if param.name in shared:
            assert seen.setdefault(param.name, looks) == looks, (command, param.name)
    assert set(seen) == shared


def test_no_command_uses_a_name_of_all_for_something_else() -> None:
    letters: dict[str, str] = {}
    for command, param in options():
        for opt in param.opts:
            if re.fullmatch("-[a-zA-Z]", opt):
                assert letters.setdefault(opt, param.name) == param.name, (command, opt)
    assert letters == {"-f": "format", "-o": "output", "-q": "quiet", "-v": "verbose"}


def examples() -> Iterator[str]:
    for name, lines in EXAMPLES.items():
        assert lines, name
        yield from lines


@pytest.mark.parametrize("line", sorted(examples()))
def test_examples_parse(line: str, userops: Userops) -> None:
    """Every ``userops ...`` of a pipeline is a command line that is understood (nothing runs)."""
    found = [stage for stage in re.split(r" \| ", re.sub(r" {3,}.*", "", line)) if "userops" in stage]
    assert found
    for stage in found:
        words = shlex.split(stage)
        words = words[words.index("userops") + 1 :]
        group, ctx = PROGRAM, PROGRAM.context_class(PROGRAM, info_name="userops")
        while hasattr(group, "commands"):
            name, group, words = group.resolve_command(ctx, words)
            ctx = group.context_class(group, info_name=name, parent=ctx)
        group.make_context(group.name, list(words))


def test_every_command_has_an_example() -> None:
    assert {name.split()[-1] for name in COMMANDS} <= set(EXAMPLES)
