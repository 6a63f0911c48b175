"""Write `license_fingerprints.json` from SPDX licence texts: ``python -m …make_license_fingerprints TEXTS.jsonl.gz``.

The input is JSON lines of {id, text}. Besides the common licences every text is taken in that would otherwise be
mistaken for one of the permissive ones: variants that add or take a clause.
"""

from __future__ import annotations

import base64
import gzip
import json
import re
import sys
from pathlib import Path

import numpy as np
import numpy.typing as npt

from corpusforge.sources.licenses import UNKNOWN, identify, triples, words_of

COMMON = [
    "MIT",
    "MIT-0",
    "X11",
    "BSD-2-Clause",
    "BSD-3-Clause",
    "BSD-4-Clause",
    "0BSD",
    "ISC",
    "Apache-2.0",
    "GPL-2.0",
    "GPL-3.0",
    "LGPL-2.0",
    "LGPL-2.1",
    "LGPL-3.0",
    "AGPL-3.0",
    "MPL-1.1",
    "MPL-2.0",
    "EPL-1.0",
    "EPL-2.0",
    "CDDL-1.0",
    "Unlicense",
    "CC0-1.0",
    "CC-BY-3.0",
    "CC-BY-4.0",
    "CC-BY-SA-3.0",
    "CC-BY-SA-4.0",
    "CC-BY-NC-4.0",
    "CC-BY-NC-SA-4.0",
    "CC-BY-NC-ND-4.0",
    "BSL-1.0",
    "Zlib",
    "Artistic-2.0",
    "WTFPL",
    "PostgreSQL",
    "NCSA",
    "OFL-1.1",
    "EUPL-1.2",
    "PSF-2.0",
    "JSON",
    "BUSL-1.1",
    "SSPL-1.0",
    "Elastic-2.0",
    "UPL-1.0",
    "MS-PL",
]
LONGEST = 400
"""Triples above which a licence is known by a sample of them."""
_APPENDIX = " end of terms and conditions "
"""What stands behind tells how to apply a licence; copies often leave it out."""
_SAME_TEXT = re.compile(r"-(?:only|or-later)$|^depreciate_|\+$")


def fingerprint(text: str) -> tuple[int, npt.NDArray[np.uint32]]:
    """The rate of sampling and the sampled triples of a text, sorted."""
    terms = " ".join(words_of(text)).partition(_APPENDIX)[0].split()
    everything = np.unique(triples(terms))
    rate = max(1, len(everything) // LONGEST)
    return rate, everything[everything % rate == 0]


def main(path: Path) -> None:
    """Write the file beside this module."""
    with gzip.open(path, "rt", encoding="utf-8") as lines:
        texts = {row["id"]: row["text"] for row in map(json.loads, lines)}
    known = {name: fingerprint(texts[name]) for name in COMMON}
    for name, text in sorted(texts.items()):
        if name in known or _SAME_TEXT.search(name) or name.endswith("-exception"):
            continue
        found = identify(text, known)
        if found != UNKNOWN and len(words_of(text)) < 3000:
            known[name] = fingerprint(text)
    body = {
        name: {"rate": rate, "triples": base64.b64encode(kept.astype("<u4").tobytes()).decode()}
        for name, (rate, kept) in sorted(known.items())
    }
    target = Path(__file__).with_name("license_fingerprints.json")
    target.write_text(json.dumps(body, indent=0) + "\n", encoding="utf-8")
    print(len(body), "licences,", target.stat().st_size, "bytes")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
