"""Back from a row of training data to what it was made of: documents, and where in them.

A row's place follows from its source and ordinal, and these from the place: the steps of `corpusforge.mix.bodies` are
taken backwards. Nothing is searched: a mixture's numbers, one shard's index of segments, and that shard's documents are
read.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow.parquet as pq

from corpusforge.errors import UsageError
from corpusforge.layout import RunLayout, number
from corpusforge.mix.apportion import Apportionment
from corpusforge.mix.order import order_key, permute

Int64 = npt.NDArray[np.int64]

SEGMENTS = "segments.parquet"
_COLUMNS = ("id", "source", "locator", "url", "text")


@dataclass(frozen=True)
class Segment:
    """One document's part of a row.

    `first` and `last` are tokens of the row, `token` is the first one's place in the document. `start` and `end` are
    bytes of the document's text; None where the tokenizer changes texts, so that pieces and bytes do not match.
    """

    document: str
    source: str
    locator: str
    url: str | None
    first: int
    last: int
    token: int
    start: int | None
    end: int | None
    text: str
    """The part of the text; all of it where the bytes are not known."""


class Provenance:
    """The way back from rows of a finished run."""

    def __init__(self, run: Path, tokenizer: Any = None) -> None:
        """Read the mixture's numbers. `tokenizer` is a SentencePieceProcessor; without one there are no byte positions.

        Raises `UsageError` for a run without packed rows, and for one whose stages were cleaned away.
        """
        self._run = run
        self._tokenizer = tokenizer
        self._layout = RunLayout(str(run))
        manifest = _json(run / "shards" / "manifest.json", run)
        recipe = manifest.get("row_weights")
        if recipe is None:
            raise UsageError(f"{run} was made by an earlier version, whose rows cannot be followed back")
        self._seed = int(manifest["seed"])
        self._rows = int(manifest["rows"])
        self._apportionment = Apportionment({name: int(recipe[name]) for name in sorted(recipe)})
        self._mixture = self._value(".mixture")
        self._packing = self._packing_stage()
        count = len(self._mixture["firsts"])
        self._sources = [entry[0] for entry in manifest["inputs"][len(manifest["inputs"]) - count :]]

    def segments(self, row: int, tokens: npt.NDArray[Any]) -> list[Segment]:
        """The documents of row `row` (its place in the mixture), whose tokens are given, in the row's order.

        Raises `UsageError` when the run's files do not fit together.
        """
        if not 0 <= row < self._rows:
            raise UsageError(f"there is no row {row}: the mixture has {self._rows}")
        shard, number_of_pass, local = self._origin(row)
        table = pq.read_table(
            self._layout.task_file(self._packing, shard, SEGMENTS),
            filters=[("pass", "=", number_of_pass), ("row", "=", local)],
        )
        documents = pq.ParquetFile(self._run / "documents" / f"{number(shard)}.parquet")
        place = 0
        found = []
        for entry in table.to_pylist():
            last = place + int(entry["length"])
            document = _document(documents, int(entry["document"]))
            found.append(self._segment(document, place, last, int(entry["start"]), tokens))
            place = last
        return found

    def _origin(self, row: int) -> tuple[int, int, int]:
        """Shard, pass, and row of the shard's packing."""
        at = np.array([row], np.int64)
        source = self._apportionment.sources[int(self._apportionment.source(at)[0])]
        within = int(self._apportionment.ordinal(at)[0])
        passes = self._mixture["passes"][source]
        number_of_pass = 0
        while number_of_pass < len(passes) and within >= passes[number_of_pass]:
            within -= passes[number_of_pass]
            number_of_pass += 1
        if number_of_pass == len(passes):
            raise UsageError(f"{self._run}: {source} has fewer rows than the mixture takes")
        key = order_key(self._seed, source, number_of_pass)
        packed = int(permute(np.array([within], np.int64), passes[number_of_pass], key)[0])
        shard = self._shard(source, number_of_pass, packed)
        return shard, number_of_pass, packed - int(self._mixture["firsts"][shard][number_of_pass])

    def _shard(self, source: str, number_of_pass: int, packed: int) -> int:
        """The last shard of the source whose rows of the pass begin at or before `packed`."""
        best = -1
        for shard, firsts in enumerate(self._mixture["firsts"]):
            if (
                self._sources[shard] == source
                and number_of_pass < len(firsts)
                and firsts[number_of_pass] <= packed
            ):
                best = shard
        return best

    def _segment(
        self, document: Mapping[str, Any], first: int, last: int, token: int, tokens: npt.NDArray[Any]
    ) -> Segment:
        text = (document["text"] or "").encode("utf-8")
        start: int | None = None
        end: int | None = None
        if self._tokenizer is not None:
            ids = [*self._tokenizer.encode(text), self._tokenizer.eos_id()]
            part = ids[token : token + last - first]
            if part != [int(value) for value in tokens[first:last]]:
                raise UsageError(
                    f"{self._run}: row and documents do not fit together: {document['locator']} has other tokens"
                )
            bounds = piece_bounds(self._tokenizer, ids, len(text))
            if bounds is not None:
                start, end = bounds[token], bounds[token + last - first]
        shown = text if start is None else text[start:end]
        return Segment(
            document["id"].hex(),
            document["source"],
            document["locator"],
            document["url"],
            first,
            last,
            token,
            start,
            end,
            shown.decode("utf-8", "replace"),
        )

    def _stages(self) -> list[Path]:
        folders = [path for path in (self._run / "stages").glob("*@*") if (path / "stage.json").is_file()]
        if not folders:
            raise UsageError(f"{self._run}: its stages are gone (`clean --all`), and with them the way back")
        from corpusforge.claim import current_stages

        current = set(current_stages(self._layout))
        return sorted(path for path in folders if not current or path.name in current)

    def _value(self, ending: str) -> dict[str, Any]:
        for path in self._stages():
            if path.name.split("@")[0].endswith(ending):
                return dict(_json(path / f"{number(0)}.json", self._run)["value"])
        raise UsageError(f"{self._run} mixed no rows")

    def _packing_stage(self) -> str:
        for path in self._stages():
            if (path / f"{number(0)}.{SEGMENTS}").is_file():
                return path.name
        raise UsageError(f"{self._run} holds no index of packed rows")


def piece_bounds(tokenizer: Any, ids: Sequence[int], size: int) -> list[int] | None:
    """Byte positions of tokens in the text of `size` bytes that they encode: n + 1 for n ids; the end token takes none.

    A piece is its own text with spaces for U+2581, a byte piece one byte, and the space that a tokenizer puts before a
    text none of its bytes. None when the sum is not the text's size: the tokenizer changed it.
    """
    lengths = []
    for value in ids:
        if tokenizer.is_control(value):
            lengths.append(0)
        elif tokenizer.is_byte(value):
            lengths.append(1)
        else:
            lengths.append(len(tokenizer.id_to_piece(value).replace("▁", " ").encode("utf-8")))
    extra = sum(lengths) - size
    if extra not in (0, 1):
        return None
    bounds = [0]
    for length in lengths:
        bounds.append(bounds[-1] + length)
    return [max(0, bound - extra) for bound in bounds]


def _document(documents: pq.ParquetFile, index: int) -> dict[str, Any]:
    """Row `index` of a file of documents, its row group alone read."""
    for group in range(documents.num_row_groups):
        rows = documents.metadata.row_group(group).num_rows
        if index < rows:
            table = documents.read_row_group(group, columns=list(_COLUMNS), use_threads=False)
            return dict(table.slice(index, 1).to_pylist()[0])
        index -= rows
    raise UsageError("the index of packed rows names a document that was not written")


def _json(path: Path, run: Path) -> dict[str, Any]:
    try:
        return dict(json.loads(path.read_bytes()))
    except FileNotFoundError as error:
        raise UsageError(
            f"{run} holds no {path.relative_to(run)}: is it a finished run that mixes?"
        ) from error
