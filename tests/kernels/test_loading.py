from __future__ import annotations

import pickle
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

from corpusforge.kernels.array_types import INT64, READ_INT64
from corpusforge.kernels.loading import Kernel, evaluated, kernel, types


@kernel(types.int64(types.int64))
def twice(value: int) -> int:
    return 2 * value


@kernel(INT64(READ_INT64, types.int64))
def scaled(values: np.ndarray, factor: int) -> np.ndarray:
    out = np.empty(len(values), np.int64)
    for place in range(len(values)):
        out[place] = twice(values[place]) * factor
    return out


@kernel([types.int64(types.int64), types.float64(types.float64)])
def either(value: float) -> float:
    return value + 1


@kernel(types.int64(types.int64), inline="always")
def inlined(value: int) -> int:
    return value - 1


@kernel(types.UniTuple(types.int64, 2)(types.int64))
def both(value: int) -> tuple[int, int]:
    return inlined(value), twice(value)


def loaded(one: Kernel) -> bool:
    return one._dispatcher is not None


def fresh(one: Kernel) -> Kernel:
    """The same kernel as after an import."""
    return Kernel(one.py_func, one._signatures, one._options)


def test_a_call_loads_the_kernel_and_gives_what_the_function_gives() -> None:
    one = fresh(scaled)
    assert not loaded(one)
    values = np.arange(5)
    frozen = values.copy()
    frozen.flags.writeable = False
    for argument in (values, frozen):
        assert one(argument, 3).tolist() == one.py_func(argument, 3).tolist() == [0, 6, 12, 18, 24]
    assert loaded(one)


def test_only_the_declared_signatures_are_compiled() -> None:
    one = fresh(either)
    assert one(1) == 2
    assert one(1.5) == 2.5
    assert len(one.signatures) == 2
    with pytest.raises(TypeError):
        one("text")
    with pytest.raises(TypeError):
        scaled(np.arange(3.0), 1)
    assert len(one.signatures) == 2


def test_a_kernel_that_another_one_calls_is_compiled_with_it_and_may_be_inlined() -> None:
    assert both(7) == (6, 14)


def test_a_second_load_finds_the_stored_code() -> None:
    scaled.load()
    again = fresh(scaled)
    again.load()
    assert sum(again.stats.cache_hits.values()) == 1
    assert not again.stats.cache_misses


def test_kernels_are_pickled_as_functions_are() -> None:
    assert pickle.loads(pickle.dumps(scaled)) is scaled


def test_threads_load_a_kernel_once() -> None:
    one = fresh(scaled)
    with ThreadPoolExecutor(4) as pool:
        results = list(pool.map(lambda factor: one(np.arange(3), factor).tolist(), range(8)))
    assert results == [[0, 2 * factor, 4 * factor] for factor in range(8)]
    assert len(one.signatures) == 1


def test_a_kernel_passes_for_the_function() -> None:
    assert (twice.__name__, twice.__module__) == ("twice", twice.py_func.__module__)
    assert not loaded(fresh(twice))


def test_noted_expressions_stand_for_what_numba_makes_of_them() -> None:
    import numba

    assert evaluated(READ_INT64) == numba.types.Array(numba.types.int64, 1, "C", readonly=True)
    assert evaluated(types.Tuple((types.int64[::1], types.boolean))(INT64)) == numba.types.Tuple(
        (numba.types.int64[::1], numba.types.boolean)
    )(numba.types.Array(numba.types.int64, 1, "C"))
    with pytest.raises(TypeError):
        list(types.int64)


def run_python(code: str) -> str:
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def test_steps_plans_and_kernels_are_imported_without_numba() -> None:
    folder = Path(sys.modules["corpusforge.kernels.loading"].__file__ or "").parent
    others = ("make_unicode_table", "__init__", "stored_code")
    names = sorted(path.stem for path in folder.glob("*.py") if path.stem not in others)
    imports = "; ".join(f"import corpusforge.kernels.{name}" for name in names)
    steps = "from corpusforge import registry; [registry.step_class(name) for name in registry.STEPS]"
    code = f"import sys, corpusforge.run; {imports}; {steps}; print(sorted({{'numba', 'scipy'}} & set(sys.modules)))"
    assert run_python(code) == "[]"


def test_stored_code_runs_without_what_only_compiling_needs() -> None:
    code = (
        "import sys, numpy; from corpusforge.kernels.lines import _split_lines as one;"
        "print([part.tolist() for part in one(numpy.frombuffer(b'a\\nb', numpy.uint8), numpy.array([0, 3]))],"
        " 'numba.np.linalg' in sys.modules)"
    )
    run_python(code)  # the cache has it from here on
    assert run_python(code) == "[[0, 2], [0, 2], [1, 3]] False"
