"""Measuring a batch so that one bad document costs that document.

A step's `measure` sees many documents at once. When it raises, the batch is halved until the documents that
make it raise stand alone: these are quarantined as ``step_error``, the others are measured without them. What
the watchdog gave up in this step is never shown to it again. Both leave the other documents' results as they
would be in any other batch, since `measure` is a pure function of each.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from corpusforge.edits import Edits
from corpusforge.errors import CorpusforgeError, StepContractError
from corpusforge.step import LiveRows, MapStep, Measured

Int64 = npt.NDArray[np.int64]
Part = tuple[Int64, Measured]
"""Positions int64[m] among the rows asked for, rising, and what was measured there."""

NOT_THE_DOCUMENT = (CorpusforgeError, MemoryError, OSError, ImportError)
"""Errors of the machine, the installation or the recipe: they fail the task."""

MESSAGE_CHARACTERS = 200

_QUOTED = re.compile(r"'[^']*'|\"[^\"]*\"", re.DOTALL)
_ADDRESS = re.compile(r"0x[0-9a-fA-F]+")


def measure_rows(
    step: MapStep, rows_at: Callable[[Int64], LiveRows], count: int, killed: Mapping[int, str]
) -> Measured:
    """Measure `count` rows; `rows_at` gives those at the positions int64[m] that it is handed.

    `killed`: position to error of the rows that the step must not see.

    Raises `StepContractError` when the step returns what it may not.
    """
    positions = np.array([at for at in range(count) if at not in killed], np.int64)
    parts = list(_attempt(step, rows_at, positions))
    if len(parts) == 1 and len(parts[0][0]) == count:
        return parts[0][1]
    failures: dict[int, str] = dict(killed)
    for part, measured in parts:
        failures.update({int(part[at]): error for at, error in measured.failures.items()})
    return Measured(
        signals=_columns(parts, count, [dict(part.signals) for _, part in parts]),
        columns=_columns(parts, count, [dict(part.columns) for _, part in parts]),
        edits=_edits(parts) if step.edits else None,
        failures=dict(sorted(failures.items())),
        twins=_columns(
            parts, count, [{"": part.twins} if part.twins is not None else {} for _, part in parts]
        ).get(""),
    )


def _attempt(step: MapStep, rows_at: Callable[[Int64], LiveRows], positions: Int64) -> Iterator[Part]:
    """Measure rows together; halves of them where that raises, down to the rows that raise by themselves."""
    if len(positions) == 0:
        return
    rows = rows_at(positions)
    try:
        measured = step.measure(rows)
    except NOT_THE_DOCUMENT:
        raise
    except Exception as error:
        # Plugins and parsers raise anything on hostile text: it costs the document and is told.
        if len(positions) == 1:
            yield positions, Measured(failures={0: told(error)})
            return
        middle = len(positions) // 2
        yield from _attempt(step, rows_at, positions[:middle])
        yield from _attempt(step, rows_at, positions[middle:])
        return
    _check(step, rows, measured)
    yield positions, measured


def told(error: BaseException) -> str:
    """An exception for the quarantine: its type and message, without quoted text and memory addresses.

    Messages quote the document, and addresses differ between runs.
    """
    message = _ADDRESS.sub("0x…", _QUOTED.sub("'…'", str(error)))
    message = " ".join(message.encode("utf-8", "replace").decode("utf-8").split())
    return f"step_error: {type(error).__name__}: {message[:MESSAGE_CHARACTERS]}".rstrip(": ")


def _columns(parts: Sequence[Part], count: int, values: Sequence[Mapping[str, Any]]) -> dict[str, pa.Array]:
    """Columns [count] from their parts by name, null where a part has none."""
    found: dict[str, pa.Array] = {}
    for name in sorted({name for part in values for name in part}):
        pieces = [(at, as_array(part[name])) for (at, _), part in zip(parts, values) if name in part]
        where = np.full(count, -1, np.int64)
        where[np.concatenate([at for at, _ in pieces])] = np.arange(sum(len(at) for at, _ in pieces))
        whole = pa.concat_arrays([piece for _, piece in pieces])
        found[name] = whole.take(pa.array(where, mask=where < 0))
    return found


def _edits(parts: Sequence[Part]) -> Edits:
    kept = [(at, part.edits) for at, part in parts if part.edits is not None and len(part.edits)]
    if not kept:
        return Edits.empty()
    return Edits(
        np.concatenate([at[edits.rows] for at, edits in kept]),
        np.concatenate([edits.starts for _, edits in kept]),
        np.concatenate([edits.ends for _, edits in kept]),
        [text for _, edits in kept for text in edits.replacements],
        [rule for _, edits in kept for rule in edits.rules],
    )


def as_array(values: Any) -> pa.Array:
    """An Arrow array in one piece from what a step may return for a column."""
    array = values if isinstance(values, pa.Array | pa.ChunkedArray) else pa.array(values)
    return array.combine_chunks() if isinstance(array, pa.ChunkedArray) else array


def _check(step: MapStep, rows: LiveRows, measured: Measured) -> None:
    """Hold a step to its contract: a wrong length would put one document's result beside another's text."""
    count, name = len(rows), step.instance
    declared = {signal.name for signal in step.signals}
    for kind, columns in (("signal", measured.signals), ("column", measured.columns)):
        for column, values in columns.items():
            if kind == "signal" and column not in declared:
                raise StepContractError(
                    f"step {name!r} returned the signal {column!r}, which it does not declare"
                )
            if len(values) != count:
                raise StepContractError(
                    f"step {name!r} returned {len(values)} values of the {kind} {column!r} for {count} documents"
                )
    promised = {*step.columns, *(["text"] if step.materializes else [])}
    for column in sorted(promised.symmetric_difference(measured.columns)):
        did = "declares and did not return" if column in promised else "returned and does not declare"
        raise StepContractError(f"step {name!r} {did} the column {column!r}")
    if measured.twins is not None and len(measured.twins) != count:
        raise StepContractError(f"step {name!r} returned {len(measured.twins)} twins for {count} documents")
    if any(not 0 <= at < count for at in measured.failures):
        raise StepContractError(f"step {name!r} returned a failure of a document that it was not given")
    if measured.edits is not None and len(measured.edits):
        _check_edits(step, rows, measured.edits)


def _check_edits(step: MapStep, rows: LiveRows, edits: Edits) -> None:
    if not step.edits:
        raise StepContractError(f"step {step.instance!r} returned edits and does not declare `edits = True`")
    if (
        len({len(edits.rows), len(edits.starts), len(edits.ends), len(edits.replacements), len(edits.rules)})
        != 1
    ):
        raise StepContractError(f"step {step.instance!r} returned edits of unequal lengths")
    inside = (edits.rows >= 0) & (edits.rows < len(rows))
    inside &= (edits.starts >= 0) & (edits.starts <= edits.ends)
    if not inside.all() or (edits.ends > rows.texts.sizes[edits.rows]).any():
        raise StepContractError(f"step {step.instance!r} returned an edit outside of its text")
    same_row = edits.rows[1:] == edits.rows[:-1]
    ordered = np.where(same_row, edits.starts[1:] >= edits.ends[:-1], edits.rows[1:] > edits.rows[:-1])
    if not ordered.all():
        raise StepContractError(f"step {step.instance!r} returned edits that overlap or are not sorted")
