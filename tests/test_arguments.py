from __future__ import annotations

import pytest

from corpusforge.arguments import parse_inputs, parse_options
from corpusforge.errors import UsageError


def test_inputs_of_a_source_add_up() -> None:
    assert parse_inputs(["c4=a", "wikipedia=b=c", "c4=d"]) == {"c4": ["a", "d"], "wikipedia": ["b=c"]}
    for wrong in ("c4", "c4="):
        with pytest.raises(UsageError, match="--input takes"):
            parse_inputs([wrong])


def test_a_wrong_value_names_its_option() -> None:
    assert parse_options("--set", ["a=1", "b=x=y", "c="]) == {"a": "1", "b": "x=y", "c": ""}
    for option in ("--set", "--engine-option"):
        with pytest.raises(UsageError, match=f"{option} takes name=value, not 'a'"):
            parse_options(option, ["a"])
