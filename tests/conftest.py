"""What every test shares: where the real data lies, and a clean, coloured-by-nothing environment."""

from __future__ import annotations

import os
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


@pytest.fixture(autouse=True)
def quiet_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """No setting, colour or width of the caller's terminal reaches a test."""
    for name in list(os.environ):
        if name.startswith("USEROPS_") and name not in ("USEROPS_SHARED", "USEROPS_UPDATE_GOLDEN"):
            monkeypatch.delenv(name)
    for name in ("NO_COLOR", "FORCE_COLOR", "CLICOLOR_FORCE", "COLUMNS", "PYTEST_ADDOPTS"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("TERM", "dumb")
