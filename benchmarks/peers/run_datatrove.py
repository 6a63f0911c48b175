"""Run datatrove's own filters over documents, in an environment of its own (`datatrove.lock`).

``python run_datatrove.py IN.jsonl OUT.jsonl``: a line ``{"text": …}`` in, a line of filter → reason (null: kept) out.
Each filter sees every document as it was: no filter hides one from the next.
"""

import json
import sys
from pathlib import Path

from datatrove.data import Document
from datatrove.pipeline.filters import (
    C4QualityFilter,
    FineWebQualityFilter,
    GopherQualityFilter,
    GopherRepetitionFilter,
)


def verdicts(filters, text):
    """Reason of each filter, or None."""
    found = {}
    for name, one in filters.items():
        try:
            result = one.filter(Document(text=text, id="0"))
        except ZeroDivisionError:
            # A text without words: the filter divides by their number, and datatrove's executor fails the task.
            found[name] = "division_by_zero"
            continue
        found[name] = None if result is True else result[1] if isinstance(result, tuple) else "dropped"
    return found


def main(source, target):
    """Judge all lines of a file."""
    filters = {
        "gopher_quality": GopherQualityFilter(),
        "gopher_repetition": GopherRepetitionFilter(),
        "c4": C4QualityFilter(),
        "fineweb": FineWebQualityFilter(),
    }
    with Path(source).open(encoding="utf-8") as lines, Path(target).open("w", encoding="utf-8") as out:
        for line in lines:
            out.write(json.dumps(verdicts(filters, json.loads(line)["text"])) + "\n")


if __name__ == "__main__":
    main(*sys.argv[1:])
