"""Jupyter notebooks (nbformat 3 and 4) to text: Markdown and code cells in order, outputs left out.

The layout is that of https://nbformat.readthedocs.io. Code stands in fences named after the kernel's language, so that
it can be told from the prose around it.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any


class NotebookError(ValueError):
    """The bytes are no notebook."""


def notebook_to_text(data: str | bytes) -> tuple[str, str]:
    """Text of a notebook and its language ("python" where it does not say). Raises `NotebookError`."""
    try:
        notebook = json.loads(data)
    except (ValueError, RecursionError) as error:
        raise NotebookError(f"{type(error).__name__}: {error}"[:300]) from error
    if not isinstance(notebook, dict):
        raise NotebookError(f"a notebook is an object, not {type(notebook).__name__}")
    language = _language(notebook.get("metadata"))
    pieces = []
    for cell in _cells(notebook):
        source = _joined(cell.get("source", cell.get("input"))).strip("\n")
        if not source.strip():
            continue
        kind = cell.get("cell_type")
        if kind == "code":
            fence = "````" if "```" in source else "```"
            pieces.append(f"{fence}{language}\n{source}\n{fence}")
        elif kind in ("markdown", "raw"):
            pieces.append(source)
        elif kind == "heading":
            level = cell.get("level")
            pieces.append("#" * (level if isinstance(level, int) and 1 <= level <= 6 else 1) + " " + source)
    return "\n\n".join(pieces) + ("\n" if pieces else ""), language


def _language(metadata: Any) -> str:
    for part, key in (("kernelspec", "language"), ("language_info", "name")):
        found = metadata.get(part) if isinstance(metadata, dict) else None
        name = found.get(key) if isinstance(found, dict) else None
        if isinstance(name, str) and name.isascii() and name.replace("+", "").replace("#", "").isalnum():
            return name.lower()[:30]
    return "python"


def _cells(notebook: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    """Cells of format 4, or those of the worksheets of format 3."""
    lists = [notebook.get("cells")]
    worksheets = notebook.get("worksheets")
    if isinstance(worksheets, list):
        lists += [sheet.get("cells") for sheet in worksheets if isinstance(sheet, dict)]
    if not any(isinstance(cells, list) for cells in lists):
        raise NotebookError("no list of cells")
    for cells in lists:
        if isinstance(cells, list):
            yield from (cell for cell in cells if isinstance(cell, dict))


def _joined(source: Any) -> str:
    if isinstance(source, str):
        return source
    return "".join(line for line in source if isinstance(line, str)) if isinstance(source, list) else ""
