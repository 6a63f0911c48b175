"""Stored code of kernels is good for one state of the modules beside it."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

USER = """
from corpusforge.kernels.loading import kernel, types
from used import LIMIT, inner

@kernel(types.int64(types.int64))
def outer(value):
    return inner(value) + LIMIT

"""

USED = """
from corpusforge.kernels.loading import kernel, types

LIMIT = {limit}

@kernel(types.int64(types.int64))
def inner(value):
    return value * {factor}
"""


def run(folder: Path) -> list[str]:
    code = "import user; print(user.outer(1), len(user.outer.stats.cache_hits))"
    environment = dict(os.environ, PYTHONPATH=os.pathsep.join([str(folder), *filter(None, sys.path)]))
    environment.pop("NUMBA_CACHE_DIR", None)
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=300, env=environment
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.split()


def test_what_a_kernel_uses_may_change(tmp_path: Path) -> None:
    (tmp_path / "user.py").write_text(USER)
    (tmp_path / "used.py").write_text(USED.format(limit=10, factor=2))
    assert run(tmp_path) == ["12", "0"]
    assert run(tmp_path) == ["12", "1"]
    before = {path.name for path in tmp_path.rglob("user.outer-*.nbc")}
    (tmp_path / "used.py").write_text(USED.format(limit=100, factor=3))
    os.utime(tmp_path / "used.py", ns=(0, 0))
    assert run(tmp_path) == ["103", "0"]
    after = {path.name for path in tmp_path.rglob("user.outer-*.nbc")}
    assert len(before) == len(after) == 1
    assert not before & after
