"""The house stays as it is drawn: who may import whom, what is packaged, what is loaded when."""

from __future__ import annotations

import ast
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
ROOMS = ("analysis", "instruments", "sims")
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
FOLDERS = {"vbsense": ROOT / "vbsense", **{f"vbsense.{room}": ROOT / room for room in ROOMS}}

# Import name -> name on the package index, where they differ.
DISTRIBUTION = {
    "skimage": "scikit-image",
    "serial": "pyserial",
    "usb": "pyusb",
    "pyvisa_py": "pyvisa-py",
    "pyvisa_sim": "pyvisa-sim",
}


def modules() -> list[tuple[str, Path]]:
    """Every module of the package with its file."""
    found = []
    for name, folder in FOLDERS.items():
        for file in sorted(folder.rglob("*.py")):
            parts = file.relative_to(folder).with_suffix("").parts
            found.append((".".join([name, *(p for p in parts if p != "__init__")]), file))
    return found


def imports(file: Path) -> set[str]:
    """Full names of all modules that a file imports, wherever in it."""
    names: set[str] = set()
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{file}: relative import; write the full name"
            names |= {f"{node.module}.{alias.name}" for alias in node.names}
    return names


def room_of(module: str) -> str:
    parts = module.split(".")
    if parts[0] != "vbsense" or len(parts) < 2:
        return "core" if parts[0] == "vbsense" else ""
    return parts[1] if parts[1] in (*ROOMS, "cli") else "core"


@pytest.mark.parametrize(("module", "file"), modules(), ids=lambda value: str(value) if "." in str(value) else None)
def test_rooms_do_not_import_each_other(module, file):
    here = room_of(module)
    if here == "cli" or module == "vbsense.__main__":
        return
    for name in imports(file):
        there = room_of(name)
        assert there in ("", here, "core"), f"{module} imports {name}: rooms meet only in the core and in vbsense/cli"


def test_the_check_above_can_fail(tmp_path):
    file = tmp_path / "x.py"
    file.write_text("def f():\n    from vbsense import sims\n    import vbsense.analysis.fit\n")
    assert {room_of(name) for name in imports(file)} == {"sims", "analysis"}


def test_every_folder_with_code_is_packaged():
    listed = set(PROJECT["tool"]["setuptools"]["packages"])
    found = {".".join([name, *file.parent.relative_to(folder).parts]) for name, folder in FOLDERS.items()
             for file in folder.rglob("*.py")}  # fmt: skip
    assert listed == found
    for module, file in modules():
        assert (file.parent / "__init__.py").is_file(), f"{module}: its folder has no __init__.py"


def test_every_import_is_declared():
    project = PROJECT["project"]
    declared = project["dependencies"] + [d for extra in project["optional-dependencies"].values() for d in extra]
    names = {d.split(">")[0].split("[")[0].strip().lower().replace("_", "-") for d in declared}
    for module, file in modules():
        for name in imports(file):
            top = name.split(".")[0]
            if top in sys.stdlib_module_names or top == "vbsense":
                continue
            assert DISTRIBUTION.get(top, top).lower().replace("_", "-") in names, f"{module} imports {top}: undeclared"


HEAVY = ("numba", "xarray", "qcodes", "matplotlib", "lmfit", "dask", "pandas", "h5py", "pyvisa", "scipy")


@pytest.mark.parametrize(
    "code",
    ["import vbsense", "from vbsense.cli import build_parser; build_parser().format_help()",
     "import vbsense.instruments, vbsense.sims"],
)  # fmt: skip
def test_importing_loads_nothing_heavy(code):
    script = f"import sys; {code}; print([m for m in {HEAVY!r} if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, cwd=ROOT, check=True)
    assert done.stdout.strip() == "[]"


def test_analysis_loads_xarray_for_its_accessor_and_no_compiler():
    loaded = "[m for m in ('numba', 'qcodes', 'matplotlib', 'lmfit', 'dask', 'h5py', 'pyvisa') if m in sys.modules]"
    script = f"import sys; import vbsense.analysis; print({loaded})"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, cwd=ROOT, check=True)
    assert done.stdout.strip() == "[]"


def test_public_names_exist():
    import vbsense as vb

    for name in vb.__all__:
        assert getattr(vb, name) is not None
    for room in ROOMS:
        package = getattr(vb, room)
        for name in package.__all__:
            assert getattr(package, name) is not None
    with pytest.raises(AttributeError, match="no attribute 'transition'"):
        vb.transition  # noqa: B018


def test_version_is_one():
    import vbsense

    assert PROJECT["project"]["version"] == vbsense.__version__
    assert f"version: {vbsense.__version__}" in (ROOT / "CITATION.cff").read_text(encoding="utf-8")
