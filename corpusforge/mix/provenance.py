"""Back from a row of training data to what it was made of: documents, and where in them.

A row's place follows from its source and ordinal, and these from the place: the steps of `corpusforge.mix.bodies` are
taken backwards. Nothing is searched: a mixture's numbers, one shard's index of segments, and that shard's documents are
read.
"""

from __future__ import annotations

import itertools
import json
import math
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt
import pyarrow.parquet as pq

from corpusforge.apportion import Apportionment
from corpusforge.errors import UsageError
from corpusforge.layout import RunLayout, number
from corpusforge.mix.order import order_key, permute

Int64 = npt.NDArray[np.int64]

SEGMENTS = "segments.parquet"
BOUND_TO = "stages/inputs.json"
"""What `corpusforge.claim` binds a run directory to, the stages of its plan among it; importing that module would take
longer than all that is done here."""
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


class RowTokenizer(Protocol):
    """What is asked of a run's tokenizer; `corpusforge.tokenize.tokenizer.Tokenizer` is one."""

    def encode_document(self, text: bytes) -> list[int]:
        """Ids of a text, its end token among them."""
        ...

    def bounds(self, ids: Sequence[int], size: int) -> list[int] | None:
        """Byte positions of a text's tokens, n + 1 for n ids; None where they cannot be told."""
        ...


class SentencePieces:
    """A SentencePieceProcessor as a `RowTokenizer`."""

    def __init__(self, processor: Any) -> None:
        self._processor = processor

    def encode_document(self, text: bytes) -> list[int]:
        """Ids of a text, its end token among them."""
        return [*self._processor.encode(text), self._processor.eos_id()]

    def bounds(self, ids: Sequence[int], size: int) -> list[int] | None:
        """See `piece_bounds`."""
        return piece_bounds(self._processor, ids, size)


class OtherTokensError(UsageError):
    """A row's tokens are not those of the document that it should hold."""


@dataclass(frozen=True)
class Known:
    """What a shard says about a row: its source, and where in it documents start and the last one ends."""

    source: str
    boundaries: Sequence[int]


class Provenance:
    """The way back from rows of a finished run."""

    def __init__(self, run: Path, tokenizer: RowTokenizer | None = None) -> None:
        """Read the mixture's numbers. `tokenizer` is the run's; without one there are no byte positions.

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
        self._weights = {name: int(recipe[name]) for name in sorted(recipe)}
        self._mixture = self._value(".mixture")
        self._packing = self._packing_stage()
        count = len(self._mixture["firsts"])
        self._sources = [entry[0] for entry in manifest["inputs"][len(manifest["inputs"]) - count :]]

    def segments(self, row: int, tokens: npt.NDArray[Any], known: Known | None = None) -> list[Segment]:
        """The documents of row `row` (its place in the mixture), whose tokens are given, in the row's order.

        `known` is what the shard says about the row; with it a mixture's sequence need not be computed for most rows.
        Raises `UsageError` when the run's files do not fit together.
        """
        if not 0 <= row < self._rows:
            raise UsageError(f"there is no row {row}: the mixture has {self._rows}")
        if known is not None and known.source in self._weights:
            found = self._among(nearby_ordinals(self._weights, known.source, row), known, tokens)
            if found is not None:
                return found
        at = np.array([row], np.int64)
        apportionment = Apportionment(self._weights)
        source = apportionment.sources[int(apportionment.source(at)[0])]
        return self._read(*self._origin(source, int(apportionment.ordinal(at)[0])), tokens)

    def _among(
        self, candidates: Sequence[int], known: Known, tokens: npt.NDArray[Any]
    ) -> list[Segment] | None:
        """The segments of the only one of a source's rows that fits boundaries and tokens; None if more than one do."""
        origins = [
            self._origin(known.source, within) for within in candidates if self._has(known.source, within)
        ]
        origins = [item for item in origins if _boundaries(item[1]) == list(known.boundaries)]
        if len(origins) == 1:
            return self._read(*origins[0], tokens)
        fitting = []
        for shard, entries in origins if self._tokenizer is not None else ():
            with suppress(OtherTokensError):
                fitting.append(self._read(shard, entries, tokens))
        return fitting[0] if len(fitting) == 1 else None

    def _read(
        self, shard: int, entries: Sequence[Mapping[str, Any]], tokens: npt.NDArray[Any]
    ) -> list[Segment]:
        """Segments with their documents. Raises `OtherTokensError` where these have other tokens than the row."""
        documents = pq.ParquetFile(self._run / "documents" / f"{number(shard)}.parquet")
        place = 0
        found = []
        for entry in entries:
            last = place + int(entry["length"])
            document = _document(documents, int(entry["document"]))
            found.append(self._segment(document, place, last, int(entry["start"]), tokens))
            place = last
        return found

    def _has(self, source: str, within: int) -> bool:
        return within < int(sum(self._mixture["passes"].get(source, [])))

    def _origin(self, source: str, within: int) -> tuple[int, list[dict[str, Any]]]:
        """Shard and segments of a source's row number `within`, counted over all passes."""
        if not self._has(source, within):
            raise UsageError(f"{self._run}: {source} has fewer rows than the mixture takes")
        passes = self._mixture["passes"][source]
        number_of_pass = 0
        while within >= passes[number_of_pass]:
            within -= passes[number_of_pass]
            number_of_pass += 1
        key = order_key(self._seed, source, number_of_pass)
        packed = int(permute(np.array([within], np.int64), passes[number_of_pass], key)[0])
        shard = self._shard(source, number_of_pass, packed)
        local = packed - int(self._mixture["firsts"][shard][number_of_pass])
        index = pq.ParquetFile(self._layout.task_file(self._packing, shard, SEGMENTS))
        return shard, _segments(index, number_of_pass, local)

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
            ids = self._tokenizer.encode_document(text)
            part = ids[token : token + last - first]
            if part != [int(value) for value in tokens[first:last]]:
                raise OtherTokensError(
                    f"{self._run}: row and documents do not fit together: {document['locator']} has other tokens"
                )
            bounds = self._tokenizer.bounds(ids, len(text))
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
        bound = self._run / BOUND_TO
        current = json.loads(bound.read_bytes()).get("stages", []) if bound.is_file() else []
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


def nearby_ordinals(weights: Mapping[str, int], source: str, row: int) -> list[int]:
    """Which of its source's rows the row `row` of a mixture can be: at most two numbers.

    Tijdeman's sequence (`corpusforge.kernels.apportion`) gives a source of m after k rows within 1 - 1 / (2m - 2) of
    its share of k. To know which of the two it is, the sequence must be computed up to there.
    """
    share = Fraction(row * weights[source], sum(weights.values()))
    if len(weights) == 1:
        return [row]
    bound = 1 - Fraction(1, 2 * len(weights) - 2)
    return list(range(max(0, math.ceil(share - bound)), math.floor(share + bound) + 1))


def _boundaries(entries: Sequence[Mapping[str, Any]]) -> list[int]:
    return [0, *itertools.accumulate(int(entry["length"]) for entry in entries)]


def _segments(index: pq.ParquetFile, number_of_pass: int, row: int) -> list[dict[str, Any]]:
    """The segments of a row, in their order: a pass is a row group, and its segments are sorted by row."""
    for group in range(index.num_row_groups):
        table = index.read_row_group(group, columns=["pass", "row"], use_threads=False)
        if table.num_rows == 0 or table["pass"][0].as_py() != number_of_pass:
            continue
        # `to_numpy` would import pandas, which takes longer than all of this.
        rows = np.from_dlpack(table["row"].combine_chunks())
        first, last = np.searchsorted(rows, [row, row + 1]).tolist()
        columns = index.read_row_group(group, columns=["document", "start", "length"], use_threads=False)
        return list(columns.slice(first, last - first).to_pylist())
    return []


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
