"""Features of blocks against a slow computation from the walked page."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from hypothesis import given
from hypothesis import strategies as st

from corpusforge.kernels import html_layout as b
from corpusforge.kernels.html_blocks import Walked, walk_html
from corpusforge.kernels.html_features import FEATURES, block_features
from corpusforge.kernels.html_hints import HINTS, bit

_PARTS = [
    "<div class=sidebar>", "<div id=main>", "</div>", "<p>", "</p>", "<ul><li>", "</ul>", "<h1>", "</h1>", "<a href=x>",
    "</a>", "word, ", "A long sentence which goes on and on, so that it may count as a paragraph; it ends here. ", "é1",
    "<nav>", "</nav>", "<article>", "</article>", "share",
]  # fmt: skip


def walked(page: str) -> tuple[Walked, npt.NDArray[np.int32]]:
    page_walked = walk_html(np.frombuffer(page.encode(), np.uint8), 1000, 10**6, 10**8)
    title = np.frombuffer(b"word, and more", np.uint8)
    return page_walked, block_features(page_walked.text, page_walked.blocks, page_walked.elements, title)


def chain(page: Walked, element: int) -> list[int]:
    found = []
    while element >= 0:
        found.append(element)
        element = int(page.elements[element, b.PARENT])
    return found


@given(st.lists(st.sampled_from(_PARTS), max_size=40))
def test_containers_neighbours_and_hints(parts: list[str]) -> None:
    page, table = walked("".join(parts))
    column = {name: table[:, k] for k, name in enumerate(FEATURES)}
    chains = [chain(page, int(element)) for element in page.blocks[:, b.ELEMENT]]
    lengths = page.blocks[:, b.CHARACTERS]
    whole = max(int(lengths.sum()), 1)

    def within(element: int) -> int:
        return int(sum(n for n, elements in zip(lengths, chains) if element in elements))

    for k, elements in enumerate(chains):
        assert column["characters"][k] == lengths[k]
        assert column["linked"][k] == page.blocks[k, b.LINKED] * 1000 // lengths[k]
        assert column["page characters"][k] == lengths.sum()
        assert column["container 0 characters"][k] == (within(elements[0]) if elements else lengths.sum())
        if k + 1 < len(chains):
            assert column["neighbour 1 characters"][k] == lengths[k + 1]
            shared = next((n for n, e in enumerate(elements) if e in chains[k + 1]), len(elements))
            assert column["neighbour 1 common ancestor"][k] == shared
        else:
            assert column["neighbour 1 characters"][k] == -1
        for hint in HINTS:
            level = next((n for n, e in enumerate(elements) if page.elements[e, b.MASK] & bit(hint)), None)
            assert column[f"levels to {hint}"][k] == (99 if level is None else level)
            share = 0 if level is None else within(elements[level]) * 1000 // whole
            assert column[f"share of {hint}"][k] == share


def test_page_with_one_main_element() -> None:
    sentence = "A long sentence which goes on and on, so that it may count as a paragraph; it ends here."
    _, table = walked(f"<div>Menu</div><div id=main><p>{sentence}</p><p>{sentence}</p></div><div>Foot</div>")
    column = {name: table[:, k].tolist() for k, name in enumerate(FEATURES)}
    assert column["main inside"] == [0, 1, 1, 0]
    assert column["main levels"] == [1, 1, 1, 1]
    assert column["repeated"] == [1, 2, 2, 1]
    assert column["main before"] == [1, 0, -1, -2]
    assert column["text hints navigation"] == [1, 0, 0, 0]
    assert table.shape == (4, len(FEATURES))


def test_words_of_the_title() -> None:
    _, table = walked("<p>and more</p><p>other words</p>")
    assert table[:, FEATURES.index("in title")].tolist() == [1, 0]
