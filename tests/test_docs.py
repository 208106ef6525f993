"""The documents say what is: generated parts are fresh, links lead somewhere, and the code in them runs."""

from __future__ import annotations

import importlib.util
import json
import os
import re
import shlex
import subprocess
import sys
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[1]
PACKAGE = ROOT / "src" / "userops"
PAGES = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md"), *(ROOT / "examples").rglob("*.md")])
EXAMPLES = sorted(path for path in (ROOT / "examples").iterdir() if path.is_file())

FENCE = re.compile(r"^```(?P<info>[^\n`]*)\n(?P<body>.*?)^```$", re.MULTILINE | re.DOTALL)


def name_of(path: Path) -> str:
    return str(path.relative_to(ROOT))


def text_of(path: Path | str) -> str:
    return (ROOT / path).read_text(encoding="utf-8")


def blocks(page: Path | str, language: str) -> Iterator[tuple[str, str]]:
    """The fenced blocks of a language: what follows its name, and the block."""
    for found in FENCE.finditer(text_of(page)):
        first, _, rest = found["info"].partition(" ")
        if first == language:
            yield rest, found["body"]


@pytest.fixture
def generate(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """The generator; the width and plainness it sets are gone afterwards."""
    for name in ("COLUMNS", "NO_COLOR"):
        monkeypatch.setenv(name, "")
    return generator()


@cache
def generator() -> ModuleType:
    spec = importlib.util.spec_from_file_location("generate", ROOT / "docs" / "generate.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


# --- what comes from the code ---------------------------------------------------------------------------------------


def test_generated_parts_are_fresh(generate: ModuleType) -> None:
    stale = [name for name, text in generate.documents().items() if text_of(name) != text]
    assert not stale, "run: python docs/generate.py"


def test_every_generated_part_has_its_place(generate: ModuleType) -> None:
    used = [name for page in generate.DOCUMENTS for name in re.findall(r"<!-- generated: (\S+) -->", text_of(page))]
    assert set(used) == set(generate.PARTS)


def test_every_command_and_option_is_documented(generate: ModuleType) -> None:
    page = text_of("docs/commands.md")
    for name, command in generate.commands().items():
        section = page.partition(f"\n## userops {name}\n")[2].partition("\n## ")[0]
        assert section, f"{name} is not in docs/commands.md"
        assert command.help, f"{name} has no help"
        for param in command.params:
            if param.param_type_name == "option" and not param.hidden:
                assert param.help, f"{name} {param.opts[0]} has no help"
                assert re.search(rf"(?<![\w-]){re.escape(param.opts[0])}(?![\w-])", section), f"{name} {param.opts[0]}"


def test_every_analysis_has_its_methods(generate: ModuleType) -> None:
    headings = re.findall(r"^## (.+)$", text_of("docs/methods.md"), re.MULTILINE)
    analyses = [name for name, command in generate.commands().items() if command.rich_help_panel == "Analyses"]
    assert {name.casefold() for name in analyses} <= {heading.casefold() for heading in headings}


def test_the_map_shows_every_module() -> None:
    tree = next(body for _, body in blocks("ARCHITECTURE.md", "text") if body.startswith("src/userops/"))
    place, shown = [], set()
    for line in tree.splitlines()[1:]:
        indent, name = re.match(r"( +)(\S+)", line).groups()  # type: ignore[union-attr] # every line has a name
        place = place[: len(indent) // 2 - 1]
        if name.endswith("/"):
            place.append(name)
        else:
            shown.add("".join((*place, name)))
    modules = {str(path.relative_to(PACKAGE)) for path in PACKAGE.rglob("*.py") if path.name != "__init__.py"}
    assert shown == modules


# --- links, paths, commands -----------------------------------------------------------------------------------------


def anchors(page: Path) -> set[str]:
    """The places of a page as GitHub names them."""
    headings = re.findall(r"^#+ (.+)$", FENCE.sub("", text_of(page)), re.MULTILINE)
    plain = [re.sub(r"[^\w\- ]", "", heading.casefold()) for heading in headings]
    return {heading.replace(" ", "-") for heading in plain}


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_links_lead_somewhere(page: Path) -> None:
    for target in re.findall(r"\]\(([^)\s]+)\)", FENCE.sub("", text_of(page))):
        if "://" in target:
            assert target.startswith("https://"), target
            continue
        file, _, anchor = target.partition("#")
        goal = (page.parent / file).resolve() if file else page
        assert goal.exists(), target
        assert goal.is_relative_to(ROOT), target
        assert not anchor or anchor in anchors(goal), target


@pytest.mark.parametrize("path", [*PAGES, *EXAMPLES, ROOT / "docs" / "generate.py"], ids=name_of)
def test_no_document_names_a_path_of_a_machine(path: Path) -> None:
    found = re.findall(
        r"(?<![\w.:/])/(?:home|Users|root|work|mnt|opt|srv|var|private|data)/\S*|\b[A-Z]:\\\S*", text_of(path)
    )
    assert not found


def shell_commands(page: Path) -> Iterator[list[str]]:
    """The userops commands a page tells people to type, as words."""
    for language in ("sh", "bash", "console"):
        for _, body in blocks(page, language):
            for line in body.replace("\\\n", " ").splitlines():
                for part in re.split(r"\s[|&]{1,2}\s|;", line.removeprefix("$ ")):
                    words = shlex.split(part, comments=True)
                    if words and words[0] == "userops":
                        yield words[1:]


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_commands_in_documents_exist(page: Path, generate: ModuleType) -> None:
    known = generate.commands()
    top = {"--version", "-V", "--help", "-h", "--install-completion", "--show-completion"}
    for words in shell_commands(page):
        name = " ".join(words[:2]) if " ".join(words[:2]) in known else (words or [""])[0]
        options = {word.partition("=")[0] for word in words if re.match(r"--?[a-zA-Z]", word)}
        if name not in known:
            assert not words or set(words) <= top, f"no command: userops {' '.join(words)}"
            continue
        taken = {option for param in known[name].params for option in (*param.opts, *param.secondary_opts)}
        assert options <= taken | {"--help", "-h"}, f"userops {' '.join(words)}"


# --- code in documents ----------------------------------------------------------------------------------------------


def test_the_worked_example_of_the_methods() -> None:
    (code,) = [body for _, body in blocks("docs/methods.md", "python")]
    exec(compile(code, "docs/methods.md", "exec"), {})


def test_the_figures_of_the_methods(shared: Path, userops: Callable[..., Any]) -> None:
    said = re.search(r"it makes (\d+)\s+important-value customers, the median ([\d,]+)", text_of("docs/methods.md"))
    assert said
    sales = (shared / "data/orders/online_retail.parquet", "--where", "Quantity>0", "--where", "UnitPrice>0")
    for threshold, figure in zip(("mean", "median"), said.groups(), strict=True):
        ran = userops("rfm", *sales, "--segments", "cn8", "--cn8-threshold", threshold, "--json", "-q")
        important = next(row for row in json.loads(ran.out)["rows"] if row["segment_zh"] == "重要价值客户")
        assert f"{important['users']:,}" == figure


TAKE_IN = """
import importlib
import userops.cli_support.schemas

for package in (userops, userops.cli_support.schemas):
    package.__path__.append({folder!r} + package.__name__.removeprefix("userops").replace(".", "/"))
for module, code in {additions!r}:
    exec(compile(code, "CONTRIBUTING.md", "exec"), vars(importlib.import_module(module)))
"""


@pytest.fixture(scope="module")
def contributed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the analysis of CONTRIBUTING.md, its tests, and ``userops`` with the analysis taken in."""
    folder = tmp_path_factory.mktemp("contributed")
    additions = []
    for info, body in blocks("CONTRIBUTING.md", "python"):
        kind, _, place = info.partition("=")
        if kind == "file":
            (folder / place).parent.mkdir(parents=True, exist_ok=True)
            (folder / place).write_text(body, encoding="utf-8")
        else:
            assert kind == "in", info
            additions.append((place, body))
    taken_in = TAKE_IN.format(folder=str(folder), additions=additions)
    (folder / "conftest.py").write_text(taken_in, encoding="utf-8")
    run = "from userops import cli\nimport sys\nsys.exit(cli.run(sys.argv[1:]))\n"
    (folder / "program.py").write_text(taken_in + run, encoding="utf-8")
    return folder


def python(folder: Path, *arguments: str | Path, given: str | None = None) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, *map(str, arguments)]
    environment = {**os.environ, "PYTHONDONTWRITEBYTECODE": "1", "COLUMNS": "100"}
    return subprocess.run(
        command, capture_output=True, text=True, cwd=folder, env=environment, check=False, input=given or ""
    )


def test_the_contributed_analysis_passes_its_tests(contributed: Path) -> None:
    ended = python(contributed, "-m", "pytest", "-q", "-p", "no:cacheprovider", "--rootdir", ".", "test_weekdays.py")
    assert ended.returncode == 0, ended.stdout + ended.stderr
    assert "passed" in ended.stdout


def test_the_contributed_command_runs_and_fits_its_schema(contributed: Path) -> None:
    import jsonschema

    rows = "user_id,ordered_at,amount\nu1,2026-01-05,10\nu1,2026-01-06,20\nu2,2026-01-12,5\n,2026-01-12,5\n"
    (contributed / "orders.csv").write_text(rows)
    answer = python(contributed, "program.py", "weekdays", "orders.csv", "--json", "--until", "2026-01-11")
    assert answer.returncode == 0, answer.stderr
    found = json.loads(answer.stdout)
    assert [row["orders"] for row in found["rows"]] == [1, 1, 0, 0, 0, 0, 0]
    assert found["meta"]["inputs"][0]["rejected"] == {"missing_user_id": 1}
    schema = json.loads(python(contributed, "program.py", "schema", "weekdays").stdout)
    jsonschema.validate(found, schema)
    assert "Orders by day of the week" in python(contributed, "program.py", "weekdays", "orders.csv").stdout
    assert "when your customers buy" in python(contributed, "program.py", "weekdays", "--help").stdout


@pytest.mark.slow
@pytest.mark.parametrize(
    "check",
    [("ruff", "check"), ("ruff", "format", "--check"), ("mypy",)],
    ids=" ".join,
)
def test_the_contributed_code_is_clean(contributed: Path, check: tuple[str, ...]) -> None:
    tool, *words = check
    if importlib.util.find_spec(tool) is None:
        pytest.skip(f"{tool} is not installed")
    file = contributed / "weekdays.py"
    if tool == "ruff":  # as if it stood among the others
        words += ["--no-cache", "--stdin-filename", str(PACKAGE / file.name), "-"]
    else:
        words += ["--config-file", "pyproject.toml", "--cache-dir", ".mypy_cache", str(file)]
    ended = python(ROOT, "-m", tool, *words, given=file.read_text(encoding="utf-8"))
    assert ended.returncode == 0, ended.stdout + ended.stderr
