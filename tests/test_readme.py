"""The README keeps its word: its blocks run, its command lines are those that continuous integration takes."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
README = (ROOT / "README.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"```python\n(.*?)```", README, flags=re.DOTALL)


@pytest.mark.parametrize("code", BLOCKS, ids=lambda code: code.split("import ")[-1].split("\n")[0])
def test_python_blocks_run(code, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    exec(compile(code, "README.md", "exec"), {"__name__": "readme"})
    assert capsys.readouterr().out


def test_there_is_a_block_for_each_of_the_three():
    assert len(BLOCKS) >= 3
    for room in ("instruments", "sims", "analysis"):
        assert any(room in block for block in BLOCKS)


def test_command_lines_install_extras_that_exist():
    lines = [line for line in README.splitlines() if line.startswith("python3 -m venv")]
    extras = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["optional-dependencies"]
    assert len(lines) == 2
    for line in lines:
        assert re.search(r'-e "\.\[(\w+)\]"', line).group(1) in extras
    assert lines[0].endswith("-m vbsense demo")
    assert lines[1].endswith("-m pytest")


def test_continuous_integration_takes_the_lines_from_here():
    script = (ROOT / ".ci" / "run").read_text(encoding="utf-8")
    assert "README.md" in script
    assert "set -euo pipefail" in script


def test_linked_files_exist():
    for target in re.findall(r"\]\((?!http)([^)]+)\)", README):
        assert (ROOT / target).is_file(), target


def test_files_named_in_command_lines_exist():
    named = re.findall(r"^vbsense \w+ (examples/\S+)", README, flags=re.MULTILINE)
    assert named
    for target in named:
        assert (ROOT / target).is_file(), target


def test_commands_named_in_the_readme_exist():
    from vbsense.cli import build_parser

    known = build_parser().format_help()
    for name in re.findall(r"`vbsense (\w+)", README):
        assert f"    {name} " in known
