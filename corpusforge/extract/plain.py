"""Plain text in UTF-8, a batch at once: what most rows of published corpora are."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from corpusforge.extract.charset import names_wide_codec
from corpusforge.step import LiveRows
from corpusforge.texts import Texts

Int64 = npt.NDArray[np.int64]


@dataclass(frozen=True)
class PlainTexts:
    """Texts of some rows of a batch: row numbers int64[k], rising, texts large_string[k], and two int64[k]."""

    rows: Int64
    texts: pa.Array
    payload_bytes: Int64
    characters: Int64


def plain_texts(rows: LiveRows, other_types: frozenset[str], max_bytes: int) -> PlainTexts:
    """Clean the rows that are sound UTF-8, without U+FFFD and of none of `other_types`.

    The others are left out: those of more than `max_bytes`, and all that could be in another encoding (see
    `corpusforge.extract.charset`). The texts are those of `corpusforge.extract.html.clean_text`.
    """
    types, charsets = rows.column("content_type"), rows.column("charset")
    wide = [name for name in pc.unique(charsets).to_pylist() if name and names_wide_codec(name)]
    passed = pc.is_in(types, value_set=pa.array(sorted(other_types), pa.string()))
    passed = pc.or_(passed, pc.is_in(charsets, value_set=pa.array(wide, pa.string())))
    passed = np.asarray(passed.to_numpy(zero_copy_only=False), bool)
    if passed.all():
        nothing = np.zeros(0, np.int64)
        return PlainTexts(nothing, pa.array([], pa.large_string()), nothing, nothing)
    from corpusforge.kernels.clean_text import clean_texts

    payloads = Texts.from_arrow(rows.column("payload"))
    asked = np.flatnonzero(~passed & (payloads.sizes <= max_bytes))
    payloads = payloads.take(asked)
    data, offsets, characters, done = clean_texts(payloads.data, payloads.offsets)
    texts = Texts(data, offsets).take(np.flatnonzero(done)).to_arrow()
    return PlainTexts(asked[done], texts, payloads.sizes[done], characters[done])
