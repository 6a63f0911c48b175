"""How the variants of the rule sets agree with datatrove and Dolma, on the generated texts that are committed.

``python benchmarks/quality_rules.py`` compares each document's verdict with the one that the peer itself gave
(`tests/filters/peer_verdicts.jsonl`, written by `benchmarks/peers/conformance.py --goldens`), and fails where less than
99.5 % are equal. On real text the peers have to run: see `benchmarks/peers/conformance.py`.
"""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from types import ModuleType

ROOT = Path(__file__).parents[1]
LEAST_PERCENT = 99.5


def load_conformance() -> ModuleType:
    """The module of the comparison, which is a script beside its peers."""
    path = ROOT / "benchmarks" / "peers" / "conformance.py"
    specification = importlib.util.spec_from_file_location("conformance", path)
    assert specification is not None
    assert specification.loader is not None
    module = importlib.util.module_from_spec(specification)
    specification.loader.exec_module(module)
    return module


def main() -> int:
    """Print a line for each rule set; 1 where one of them agrees too seldom."""
    conformance = load_conformance()
    goldens = conformance.read_lines(ROOT / "tests" / "filters" / "peer_verdicts.jsonl")
    texts = [golden["text"] for golden in goldens]
    print(f"Rule sets against the peers' verdicts on {len(texts)} generated texts")
    worst = 100.0
    for peer in conformance.PEERS:
        for line in conformance.compare(peer, texts, [golden[peer] for golden in goldens], 5):
            print(f"  {line}")
            if " % equal of " in line:
                worst = min(worst, float(line.partition(" % equal of ")[0].rpartition(" ")[2]))
    return 0 if worst >= LEAST_PERCENT else 1


if __name__ == "__main__":
    sys.exit(main())
