"""What every test shares: where the real data lies, and a clean, coloured-by-nothing environment."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]


@pytest.fixture(scope="session")
def shared() -> Path:
    """The folder of real and hostile data, or a skip where it is absent."""
    folder = Path(os.environ.get("USEROPS_SHARED", ROOT.parent / "shared"))
    if not (folder / "data").is_dir():
        pytest.skip("the shared data folder is not here (set USEROPS_SHARED)")
    return folder


@pytest.fixture(autouse=True, scope="session")
def signals_as_usual() -> None:
    """However the suite was started (nohup, in the background), the runs it starts take signals as a user's would."""
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)
    if hasattr(signal, "SIGHUP"):
        signal.signal(signal.SIGHUP, signal.SIG_DFL)


@pytest.fixture(autouse=True)
def quiet_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """No setting, colour or width of the caller's terminal reaches a test.

    Where a test asks for colours, they are true colours: Rich keeps the code of a style as it was first written in a
    process, so another depth in one test would show in the next.
    """
    for name in list(os.environ):
        if name.startswith("USEROPS_") and name not in ("USEROPS_SHARED", "USEROPS_UPDATE_GOLDEN"):
            monkeypatch.delenv(name)
    for name in ("NO_COLOR", "FORCE_COLOR", "CLICOLOR_FORCE", "COLUMNS", "PYTEST_ADDOPTS"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("TERM", "dumb")
    monkeypatch.setenv("COLORTERM", "truecolor")


@pytest.fixture(scope="session")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small simulated shop, and its orders as CSV too; to be read, not written to."""
    import polars as pl

    from userops import demo
    from userops.outputs import saving

    folder = tmp_path_factory.mktemp("shop")
    demo.write(demo.Settings(customers=300, days=120), str(folder), saving.write_atomically)
    pl.read_parquet(folder / "orders.parquet").write_csv(folder / "orders.csv")
    (folder / "userops.toml").unlink()
    return folder


@dataclass(frozen=True, slots=True)
class Ran:
    """How a command ended: its exit code and what it said."""

    code: int
    out: str
    err: str


@pytest.fixture
def userops(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Iterator[Callable[..., Ran]]:
    """Runs a command line in this process, in an empty folder where no configuration is found."""
    from userops import cli
    from userops.outputs import saving

    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "personal"))

    def run(*arguments: object) -> Ran:
        code = cli.run([str(argument) for argument in arguments])
        return Ran(int(code), *capsys.readouterr())

    yield run
    saving.watch(None)
