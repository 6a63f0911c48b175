"""Features of blocks that look alike against a slow computation from the walked page."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from corpusforge.kernels import html_layout as b
from corpusforge.kernels.html_blocks import walk_html
from corpusforge.kernels.html_groups import GROUPS, group_features
from corpusforge.kernels.html_hints import bit

_PARTS = [
    "<div class=comment>", "<div id=main>", "</div>", "<p>", "</p>", "<ul><li>", "</ul>", "<a href=x>", "</a>",
    "word, ", "A long sentence which goes on and on, so that it may count as a paragraph; it ends here. ",
    "<article>", "<article class=post>", "</article>",
]  # fmt: skip


@given(st.lists(st.sampled_from(_PARTS), max_size=40))
def test_groups_and_articles(parts: list[str]) -> None:
    page = walk_html(np.frombuffer("".join(parts).encode(), np.uint8), 1000, 10**6, 10**8)
    table = np.zeros((len(page.blocks), len(GROUPS)), np.int32)
    group_features(page.blocks, page.elements, table, 0)
    elements = page.elements.tolist()

    def chain(element: int) -> list[int]:
        return [] if element < 0 else [element, *chain(elements[element][b.PARENT])]

    chains = [chain(element) for element in page.blocks[:, b.ELEMENT].tolist()]
    kinds = [[(elements[e][b.TAG], elements[e][b.MASK]) for e in one[:2]] for one in chains]
    rows = page.blocks.tolist()
    articles = [e for e, row in enumerate(elements) if row[b.MASK] & bit("<article>")]

    def paragraph(row: list[int]) -> int:
        is_one = row[b.CHARACTERS] >= 80 and row[b.LINKED] * 3 < row[b.CHARACTERS]
        return row[b.CHARACTERS] - row[b.LINKED] if is_one else 0

    def total(kind: list[tuple[int, int]]) -> int:
        return sum(paragraph(row) for row, own in zip(rows, kinds) if own == kind)

    most = max([total(kind) for kind in kinds] + [1])
    for k, kind in enumerate(kinds):
        alike = [j for j, other in enumerate(kinds) if other == kind]
        length = sum(rows[j][b.CHARACTERS] for j in alike)
        around = [articles.index(e) + 1 for e in chains[k] if e in articles]
        assert table[k].tolist() == [
            len(alike),
            length * 1000 // sum(row[b.CHARACTERS] for row in rows),
            sum(rows[j][b.LINKED] for j in alike) * 1000 // length,
            length // len(alike),
            total(kind) * 1000 // most,
            total(kind) * 1000 // length,
            k - alike[0],
            around[-1] if around else 0,
            around[0] if around else 0,
            len(articles),
        ]
