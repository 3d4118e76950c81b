"""The cache of compiled code: what two processes write at once is never mixed up."""

from __future__ import annotations

import os
import subprocess
import sys
import textwrap

import numpy as np
import pytest

from vbsense._jit import _cache_file, kernel

MAKER = textwrap.dedent(
    """
    from vbsense._jit import kernel

    def make(factor):
        @kernel("float64(float64)")
        def times(x):
            return factor * x
        return times

    def use(factors):
        # Handed to compiled code, as fits hand over their models.
        from numba import njit, types
        f8 = types.float64

        @njit([f8(types.FunctionType(f8(f8)), f8)])
        def call(function, x):
            return function(x)

        kernels = [make(float(k)) for k in factors]
        print(*[call(kernel, 1.0) for kernel in kernels])
    """
)


@pytest.fixture
def folder(tmp_path, monkeypatch):
    (tmp_path / "maker.py").write_text(MAKER)
    monkeypatch.setenv("PYTHONPATH", str(tmp_path), prepend=os.pathsep)
    monkeypatch.setenv("NUMBA_CACHE_DIR", str(tmp_path / "cache"))
    return tmp_path


def run(code):
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split()


def test_processes_that_start_together_keep_their_own_code(folder):
    """Each of several makes another kernel of one maker, and a later one finds all of them."""
    code = "import sys, maker; print(maker.make(float({}))(2.0))"
    together = [subprocess.Popen([sys.executable, "-c", code.format(k)], stdout=subprocess.PIPE, text=True)
                for k in range(4)]  # fmt: skip
    assert [float(p.communicate(timeout=120)[0]) for p in together] == [0.0, 2.0, 4.0, 6.0]
    assert run("import maker; print(*[maker.make(float(k))(1.0) for k in range(4)])") == ["0.0", "1.0", "2.0", "3.0"]


def test_code_of_several_processes_is_not_mixed_up_when_it_is_loaded(folder):
    """Each process compiles one kernel, its first, under what would be the same symbol; one process loads all."""
    for k in range(3):
        assert run(f"import maker; print(maker.make(float({k}))(2.0))") == [str(2.0 * k)]
    assert run("import maker; maker.use((2, 0, 1, 7))") == ["2.0", "0.0", "1.0", "7.0"]


def test_what_is_not_cached_does_not_meet_what_is(folder):
    (folder / "maker.py").write_text(MAKER.replace('("float64(float64)")', '("float64(float64)", cache=factor < 5)'))
    assert run("import maker; print(maker.make(3.0)(2.0))") == ["6.0"]
    assert run("import maker; maker.use((3, 8, 9))") == ["3.0", "8.0", "9.0"]


def test_a_second_process_takes_it_from_the_cache(folder):
    hits = "k = maker.make(3.0); print(k(2.0), *k.stats.cache_hits.values(), *k.stats.cache_misses.values())"
    assert run(f"import maker; {hits}") == ["6.0", "1"]
    assert run(f"import maker; {hits}") == ["6.0", "1"]
    assert len(list((folder / "cache").rglob("*.nbc"))) == 1


def test_entries_written_against_the_same_old_index_do_not_share_a_file(tmp_path):
    """The order that numba's own numbering loses: both read the index before either has written it."""
    files = [_cache_file()(str(tmp_path), "f", "stamp") for _ in range(2)]
    old = files[1]._load_index
    files[1]._load_index = dict  # as it was before the first wrote
    files[0].save("one", b"code of one")
    files[1].save("two", b"code of two")
    files[1]._load_index = old
    found = [files[0].load(key) for key in ("one", "two")]
    assert found[1] == b"code of two"
    assert found[0] in (None, b"code of one")


def test_another_source_finds_nothing(tmp_path):
    _cache_file()(str(tmp_path), "f", "old source").save("key", b"old code")
    assert _cache_file()(str(tmp_path), "f", "new source").load("key") is None


def test_without_a_cache():
    total = kernel("float64(float64[::1])", cache=False)(lambda values: values.sum())
    assert total(np.ones(3)) == 3.0
