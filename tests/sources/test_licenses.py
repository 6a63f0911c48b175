"""Licence texts and expressions: the permissive ones are recognised, and nothing else is taken for them."""

from __future__ import annotations

import gzip
import json
from pathlib import Path

import pytest

from corpusforge.sources.licenses import (
    UNKNOWN,
    combined,
    declared,
    identify,
    is_allowed,
    is_license_file,
    label,
    spdx_id,
)

ALLOWED = ["MIT", "BSD-2-Clause", "BSD-3-Clause", "Apache-2.0"]
COMMON = [
    "MIT",
    "BSD-2-Clause",
    "BSD-3-Clause",
    "Apache-2.0",
    "ISC",
    "GPL-2.0",
    "GPL-3.0",
    "LGPL-2.1",
    "LGPL-3.0",
    "AGPL-3.0",
    "MPL-2.0",
    "Unlicense",
    "CC0-1.0",
    "0BSD",
    "BSD-4-Clause",
    "MIT-0",
    "X11",
    "JSON",
    "BSL-1.0",
    "Zlib",
    "EPL-2.0",
    "BSD-3-Clause-Clear",
]


@pytest.fixture(scope="module")
def texts(shared_data: Path) -> dict[str, str]:
    with gzip.open(shared_data / "dedup" / "spdx-licenses.jsonl.gz", "rt", encoding="utf-8") as lines:
        return {row["id"]: row["text"] for row in map(json.loads, lines)}


def test_common_licences_are_recognised_and_no_other_passes_for_one(texts):
    assert {name: identify(texts[name]) for name in COMMON} == {name: name for name in COMMON}
    mistaken = {
        name for name, text in texts.items() if name not in ALLOWED and is_allowed(identify(text), ALLOWED)
    }
    assert mistaken == set()


def test_real_variations_of_a_text(texts):
    text = texts["BSD-3-Clause"].replace("the copyright holder nor", "Example Corp. nor")
    text = text.replace("THE COPYRIGHT HOLDERS AND CONTRIBUTORS", "EXAMPLE CORP. AND CONTRIBUTORS")
    wrapped = "# Copyright (c) 2001-2020, Example Corp.\n" + "\n# ".join(text.upper().split("."))
    assert identify(wrapped) == "BSD-3-Clause"
    apache = texts["Apache-2.0"]
    assert identify(apache[: apache.index("END OF TERMS")]) == "Apache-2.0"
    assert (
        identify(texts["MIT"] + "\n\nThis bundles the following:\n\n" + texts["BSD-2-Clause"])
        == "MIT AND BSD-2-Clause"
    )
    assert identify(texts["MIT"] + "\nThe Commons Clause applies.") == UNKNOWN
    assert identify("All is ours. " * 200 + texts["MIT"]) == UNKNOWN
    half = texts["MIT"][: len(texts["MIT"]) // 2]
    assert identify(half) == UNKNOWN


@pytest.mark.parametrize(
    "text", ["", "word", "MIT", "\0" * 1000, "a " * 400_000, "neither the name of " * 10_000]
)
def test_texts_that_are_no_licence(text):
    assert identify(text) == UNKNOWN


def test_names_of_licence_files():
    for name in (
        "LICENSE",
        "license.txt",
        "LICENSE-MIT",
        "COPYING",
        "COPYING.LESSER",
        "UNLICENSE",
        "MIT-LICENSE.txt",
        "LICENCE.md",
    ):
        assert is_license_file(name), name
    for name in ("license.py", "README", "licensing.md", "LicenseManager.java", "license.json"):
        assert not is_license_file(name), name


def test_several_files():
    assert combined([]) == UNKNOWN
    assert combined([("LICENSE", "MIT")]) == "MIT"
    assert combined([("LICENSE-MIT", "MIT"), ("LICENSE-APACHE", "Apache-2.0")]) == "Apache-2.0 OR MIT"
    assert (
        combined([("COPYING", UNKNOWN), ("LICENSE-MIT", "MIT"), ("UNLICENSE", "Unlicense")])
        == "MIT OR Unlicense"
    )
    assert combined([("LICENSE", "MIT"), ("COPYING", "GPL-3.0")]) == "GPL-3.0 AND MIT"
    assert combined([("LICENSE.txt", "MIT"), ("LICENSE.md", UNKNOWN)]) == "unknown AND MIT"


@pytest.mark.parametrize(
    ("expression", "allowed"),
    [
        ("MIT", True),
        ("mit", True),
        ("GPL-3.0 OR MIT", True),
        ("GPL-3.0 AND MIT", False),
        ("MIT AND Apache-2.0", True),
        ("Apache-2.0 WITH LLVM-exception", True),
        ("(MIT OR Apache-2.0) AND BSD-2-Clause", True),
        ("(MIT OR GPL-2.0) AND BSD-2-Clause", False),
        ("", False),
        (UNKNOWN, False),
    ],
)
def test_expressions(expression, allowed):
    assert is_allowed(expression, ALLOWED) is allowed


def test_labels_and_declarations():
    assert label("GPL-2.0-only") == "GPL-2.0"
    assert label("MIT AND GPL-3.0-or-later") == "MIT_and_GPL-3.0"
    assert label("x" * 1000) == "other"
    assert label("MIT AND unknown") == UNKNOWN
    assert spdx_id("apache-2.0") == "Apache-2.0"
    assert declared("// SPDX-License-Identifier: MIT OR Apache-2.0\nx") == "MIT OR Apache-2.0"
    assert declared("x = 1\n" * 1000 + "# SPDX-License-Identifier: MIT") is None
