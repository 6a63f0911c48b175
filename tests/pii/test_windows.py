from __future__ import annotations

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from corpusforge.kernels.pii_candidates import EMAIL, NUMBER, find_candidates
from corpusforge.pii.windows import CONTEXT, windows
from corpusforge.texts import Texts


@given(st.lists(st.text("ab@é1 5-\n世", max_size=400), max_size=4), st.sampled_from([EMAIL, NUMBER]))
def test_windows_cover_candidates_with_context_and_do_not_touch(texts: list[str], kind: int) -> None:
    view = Texts.from_strings(texts)
    made = list(windows(view, kind))
    rows, starts, ends = find_candidates(view.data, view.offsets, kind)
    for row, start, end in zip(rows.tolist(), starts.tolist(), ends.tolist()):
        base, size = int(view.offsets[row]), int(view.sizes[row])
        first, last = max(0, start - base - CONTEXT), min(size, end - base + CONTEXT)
        assert any(one.row == row and one.start <= first and last <= one.end for one in made)
    for before, after in pairwise(made):
        assert (before.row, before.end) < (after.row, after.start)
    for window in made:
        view.bytes_of(window.row)[window.start : window.end].decode("utf-8")
