from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from corpusforge.lean_imports import absent


def test_hidden_packages_come_back() -> None:
    sys.modules.pop("this", None)
    with absent("this", "json"):
        with pytest.raises(ImportError):
            import this  # noqa: F401
        import json

        assert json.loads("1") == 1
    assert "this" not in sys.modules
    assert "json" in sys.modules


@pytest.mark.parametrize(
    "made",
    [
        "from corpusforge.pii.national import NationalNumbers; NationalNumbers(['US_ITIN'])",
        "from corpusforge.filters.spacy_words import splitter; splitter('fineweb')",
    ],
)
def test_large_libraries_are_left_out(made: str) -> None:
    pytest.importorskip("presidio_analyzer", reason="the extra pii is not installed")
    code = f"import sys; {made}; print([name for name in ('torch', 'transformers') if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=300)
    assert (done.stdout.strip(), done.returncode) == ("[]", 0), done.stderr


def test_arrow_finds_pandas_when_it_is_asked_for_it() -> None:
    pytest.importorskip("pandas")
    code = """
import sys
from corpusforge.lean_imports import arrow_without_pandas
arrow_without_pandas()
import pyarrow
pyarrow.array(["a"])
print("pandas" in sys.modules, len(pyarrow.table({"a": [1]}).to_pandas()), "pandas" in sys.modules)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=300)
    assert (done.stdout.strip(), done.returncode) == ("False 1 True", 0), done.stderr


def test_steps_of_others_keep_pandas() -> None:
    from types import SimpleNamespace

    from corpusforge.engines.worker import _built_in
    from corpusforge.extract.step import Extract

    class Foreign:
        pass

    ours = object.__new__(Extract)
    for steps, sources, built_in in (
        ([ours], {}, True),
        ([ours, Foreign()], {}, False),
        ([], {"x": Foreign()}, False),
    ):
        body = SimpleNamespace(steps=steps, sources=sources)
        plan = SimpleNamespace(stages=[SimpleNamespace(body=body), SimpleNamespace(body=SimpleNamespace())])
        assert _built_in(plan) is built_in  # type: ignore[arg-type]


def test_workers_do_not_import_the_program(tmp_path: Path) -> None:
    program = tmp_path / "program.py"
    program.write_text(
        """
import multiprocessing, os
from corpusforge.lean_imports import workers_without_program
print("imported")
if __name__ == "__main__":
    workers_without_program()
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["os"])
    process = context.Process(target=os.getpid)
    process.start()
    process.join()
    raise SystemExit(process.exitcode)
"""
    )
    done = subprocess.run([sys.executable, str(program)], capture_output=True, text=True, timeout=300)
    assert (done.stdout.split(), done.returncode) == (["imported"], 0), done.stderr


@pytest.mark.parametrize(
    "imported", ["from corpusforge.cli import app", "from corpusforge.cli import app, main"]
)
def test_only_the_program_itself_is_left_out(tmp_path: Path, imported: str) -> None:
    """A program of others that calls the command line keeps what its own worker processes look for."""
    program = tmp_path / "program.py"
    program.write_text(
        f"""
import sys
{imported}
from corpusforge import cli
class Loaded:
    def run(self, *arguments, **settings):
        raise SystemExit("__file__" in vars(sys.modules["__main__"]))
cli._run_here(Loaded(), {{}}, "out", {{"engine": "local"}})
"""
    )
    done = subprocess.run([sys.executable, str(program)], capture_output=True, text=True, timeout=300)
    assert done.returncode == (1 if imported.endswith("app") else 0), done.stderr
