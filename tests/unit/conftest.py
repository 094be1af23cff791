"""Fixtures of the unit tests."""

from __future__ import annotations

from pathlib import Path

import pytest

from headscope.export import bundle
from headscope.widgets import core


@pytest.fixture
def static(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty folder in place of the built front end, and no core made from it yet."""
    folder = tmp_path / "static"
    folder.mkdir()
    monkeypatch.setattr(bundle, "STATIC", folder)
    monkeypatch.setattr(core, "_cores", {})
    return folder
