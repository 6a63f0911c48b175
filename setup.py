"""Build hook: the declarations at the top of the source tree travel inside the wheel.

`pipelines/`, `filters/` and `tokenizers/` are data, not packages, so setuptools does not find them. The hook
copies them to ``corpusforge/declarations/``, where `corpusforge.rulesets.folder` looks first. Everything else
about the package stands in ``pyproject.toml``.
"""

from __future__ import annotations

from pathlib import Path

from setuptools import setup
from setuptools.command.build_py import build_py

ROOT = Path(__file__).parent
KINDS = ("pipelines", "filters", "tokenizers")


class BuildWithDeclarations(build_py):
    """Copies the declarations next to the built modules."""

    def _declarations(self) -> dict[str, str]:
        """Built path to path in the source tree."""
        target = Path(self.build_lib) / "corpusforge" / "declarations"
        return {
            str(target / kind / path.name): str(path.relative_to(ROOT))
            for kind in KINDS
            for path in sorted((ROOT / kind).glob("*.yaml"))
        }

    def run(self) -> None:
        """Build as usual, then copy. An editable installation reads the source tree instead."""
        super().run()
        if self.editable_mode:
            return
        for built, source in self._declarations().items():
            self.mkpath(str(Path(built).parent))
            self.copy_file(str(ROOT / source), built, preserve_mode=False)

    def get_outputs(self, include_bytecode: bool = True) -> list[str]:
        """Built files, the declarations among them."""
        more = [] if self.editable_mode else list(self._declarations())
        return [*super().get_outputs(include_bytecode), *more]

    def get_source_files(self) -> list[str]:
        """Files that a source distribution needs to build this."""
        return [*super().get_source_files(), *self._declarations().values()]


setup(cmdclass={"build_py": BuildWithDeclarations})
