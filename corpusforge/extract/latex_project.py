r"""The files of a paper as one source: which file is the main one, and what ``\input`` brings in.

Names are looked up among the project's own files and nowhere else; nothing is read from disk.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field

from corpusforge.extract.latex_scan import LatexLimitError, without_comments

MAXIMUM_DEPTH = 16
"""Files inside files."""
MAXIMUM_INPUTS = 1000
"""Inputs that are followed in one paper."""

_CLASS = re.compile(r"\\document(?:class|style)(?![A-Za-z])")
_BEGIN = re.compile(r"\\begin\s*+\{document\}|\\document(?![A-Za-z])")
_PLAIN = re.compile(
    r"\\(?:bye|magnification|input\s*+\{?\s*+(?:amstex|amsppt|harvmac|phyzzx|epsf|lanlmac)|section|head)(?![A-Za-z])"
)
_INPUT = re.compile(
    r"\\(?:input|include|subfile|subfileinclude)(?![A-Za-z@])\s*+(?:\{(?P<braced>[^{}\n]{1,300})\}|(?P<plain>[^\s{}\\%]{1,300}))"
)
_INPUTENC = re.compile(r"\\usepackage\s*+\[([A-Za-z0-9-]{1,20})\]\s*+\{inputenc\}")
_ENCODINGS = {
    "latin1": "cp1252",
    "ansinew": "cp1252",
    "cp1252": "cp1252",
    "latin2": "iso8859-2",
    "latin3": "iso8859-3",
    "latin4": "iso8859-4",
    "latin5": "iso8859-9",
    "latin9": "iso8859-15",
    "latin10": "iso8859-16",
    "cp1250": "cp1250",
    "cp1251": "cp1251",
    "cp1257": "cp1257",
    "koi8-r": "koi8-r",
    "koi8-u": "koi8-u",
    "cp866": "cp866",
    "cp437": "cp437",
    "cp850": "cp850",
    "applemac": "mac-roman",
}
"""Options of LaTeX's package inputenc as Python's codecs."""
_NO_MAIN = (".sty", ".cls", ".bst", ".bbl", ".clo", ".def", ".cfg", ".fd", ".bib", ".dtx", ".ins", ".ldf")
_USUAL_NAMES = ("main", "ms", "paper", "article", "manuscript", "root", "arxiv")


def decode_sources(files: Mapping[str, bytes]) -> dict[str, str]:
    """Decode each file as UTF-8, or as the encoding that the project declares (inputenc), or as Windows-1252."""
    declared = "cp1252"
    for data in files.values():
        if found := _INPUTENC.search(data.decode("latin-1")):
            declared = _ENCODINGS.get(found[1].lower(), declared)
            break
    texts = {}
    for name, data in files.items():
        try:
            text = data.decode("utf-8-sig")
        except UnicodeDecodeError:
            text = data.decode(declared, "replace")
        texts[name] = text.replace("\r\n", "\n").replace("\r", "\n").replace("\x00", "")
    return texts


def main_file(texts: Mapping[str, str]) -> str | None:
    r"""Name of the file that makes the paper, or None when no file looks like TeX.

    The best have ``\documentclass`` (or ``\documentstyle``) and ``\begin{document}``; then those with the latter
    alone, with the former alone, and plain TeX. Of several, one that no other brings in, that has a usual name
    (main, ms, paper, …), that is the longest, that comes first by name.
    """
    bare = {
        name: without_comments(text) for name, text in texts.items() if not name.lower().endswith(_NO_MAIN)
    }
    brought_in = {
        found for name, text in bare.items() for found in _inputs(text, name, texts) if found != name
    }

    def rank(name: str) -> tuple[int, bool, int, int, str]:
        text = bare[name]
        has_class, has_begin = bool(_CLASS.search(text)), bool(_BEGIN.search(text))
        kind = 0 if has_class and has_begin else 1 if has_begin else 2 if has_class else 3
        stem = name.rsplit("/", 1)[-1].rsplit(".", 1)[0].lower()
        usual = _USUAL_NAMES.index(stem) if stem in _USUAL_NAMES else len(_USUAL_NAMES)
        return kind, name in brought_in, usual, -len(text), name

    names = [
        name
        for name, text in bare.items()
        if any(pattern.search(text) for pattern in (_CLASS, _BEGIN, _PLAIN))
    ]
    return min(names, key=rank, default=None)


def _inputs(text: str, own: str, texts: Mapping[str, str]) -> list[str]:
    found = (resolve(match["braced"] or match["plain"], own, texts) for match in _INPUT.finditer(text))
    return [name for name in found if name is not None]


def resolve(wanted: str, own: str, files: Mapping[str, object]) -> str | None:
    """The project's file that a name in file `own` means: below the root or beside `own`, ``.tex`` understood.

    None for names that are absolute, that hold ``..``, or that no file has.
    """
    parts = [part for part in wanted.strip().strip('"').split("/") if part not in ("", ".")]
    if wanted.strip().startswith("/") or ".." in parts or not parts:
        return None
    name = "/".join(parts)
    folder = own.rpartition("/")[0]
    for candidate in (name, f"{folder}/{name}") if folder else (name,):
        for ending in ("", ".tex", ".TEX", ".ltx"):
            if candidate + ending in files:
                return candidate + ending
    return None


@dataclass
class _Joined:
    """One paper while its files are put together."""

    texts: Mapping[str, str]
    limit: int
    size: int = 0
    inputs: int = 0
    bare: dict[str, str] = field(default_factory=dict)

    def file(self, name: str, active: tuple[str, ...]) -> str:
        if name not in self.bare:
            self.bare[name] = without_comments(self.texts[name])
        text = self.bare[name].partition("\\endinput")[0] if active else self.bare[name]
        self.size += len(text)
        if self.size > self.limit:
            raise LatexLimitError("project_too_large", f"more than {self.limit} characters with all inputs")
        kept: list[str] = []
        begin = 0
        for match in _INPUT.finditer(text):
            wanted = resolve(match["braced"] or match["plain"], name, self.texts)
            kept.append(text[begin : match.start()])
            begin = match.end()
            if wanted is None or wanted == name or wanted in active:
                continue
            self.inputs += 1
            if self.inputs > MAXIMUM_INPUTS or len(active) >= MAXIMUM_DEPTH:
                raise LatexLimitError(
                    "too_many_inputs", f"more than {MAXIMUM_INPUTS} inputs, or {MAXIMUM_DEPTH} deep"
                )
            kept.append(f"\n{self.file(wanted, (*active, name))}\n")
        kept.append(text[begin:])
        return "".join(kept)


def join_files(texts: Mapping[str, str], main: str, max_characters: int) -> str:
    r"""The main file with every ``\input`` and ``\include`` replaced by its file, without comments.

    Inputs of files that are not there go, and so do those of a file inside itself. Raises `LatexLimitError`.
    """
    return _Joined(texts, max_characters).file(main, ())
