"""Every example runs, says something and leaves a picture."""

from __future__ import annotations

import runpy
import sys
from pathlib import Path

import pytest

EXAMPLES = sorted((Path(__file__).resolve().parent.parent / "examples").glob("*.py"))
NEEDED = {"field_of_a_drawing": ("svgelements",)}


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.stem)
def test_example(path, tmp_path, monkeypatch, capsys):
    for module in NEEDED.get(path.stem, ()):
        pytest.importorskip(module, reason="this example reads a drawing, which the extra 'layout' is for")
    picture = tmp_path / "picture.png"
    monkeypatch.setattr(sys, "argv", [str(path), str(picture)])
    monkeypatch.chdir(tmp_path)
    runpy.run_path(str(path), run_name="__main__")
    assert picture.read_bytes().startswith(b"\x89PNG")
    assert capsys.readouterr().out
    assert len(path.read_text(encoding="utf-8").splitlines()) < 60
