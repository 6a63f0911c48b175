"""What is mended line by line."""

from __future__ import annotations

import re

from hypothesis import given
from hypothesis import strategies as st

from corpusforge.extract.wikitext_cleanup import _tidy_line


def slow_tidy_line(line: str) -> str:
    """Every rule on every line."""
    line = "\t".join(re.sub(r"[ \t\u00a0]+", " ", cell).strip() for cell in line.split("\t")).strip()
    line = re.sub(r"  +", " ", re.sub(r"\(\s*[,;:]?\s*\)|\[\s*\]", "", line))
    line = re.sub(r"\((?:\s*[,;:、，])+\s*", "(", line)
    return re.sub(r" +([,.;:!?)])", r"\1", line).strip(" ")


@given(st.text(st.sampled_from("ab ()[],;:、.!?\t\u00a0\u3000-_"), max_size=30))
def test_rules_that_are_left_out_would_change_nothing(line: str) -> None:
    assert _tidy_line(line) == slow_tidy_line(line)
