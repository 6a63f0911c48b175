"""Which documents a deduplicating step would drop at another threshold, or if some had never reached it.

Candidates do not depend on the threshold: they are the documents that share a band. So what a run compared decides at
any threshold, stricter or looser. When documents leave, the pairs of the others stay what they were, with these
exceptions, which cost certainty: a document whose budget was spent, or that found a bucket's leaders complete, may
meet others once one of its leaders is gone; and of documents with equal shingles only the first was compared, so when
it goes, the next stands in with its similarities, unless these were estimates or would exceed its budget.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from corpusforge.dedup.compared import UNCOMPARED, Compared
from corpusforge.dedup.stars import IDENTICAL, SAMPLED
from corpusforge.dedup.verify import MINIMUM_COMPARISONS

Int64 = npt.NDArray[np.int64]
UInt8 = npt.NDArray[np.uint8]
Bool = npt.NDArray[np.bool_]

GONE, PERHAPS, THERE = 0, 1, 2
"""Whether a document reaches the step."""

KEEPS, UNKNOWN, DROPS = 0, 1, 2
"""What the step does to a document that reaches it."""


def outcomes(
    compared: Compared, reaching: UInt8, threshold: int, max_leaders: int = 1, budget: int = 0
) -> UInt8:
    """`KEEPS`, `UNKNOWN` or `DROPS` uint8[n] of each compared document, if it reaches the step.

    `reaching` uint8[n]: `GONE`, `PERHAPS` or `THERE`. `threshold`: least similarity in units of 1 / RATIO.
    `max_leaders`, `budget`: those of the run.
    """
    unsure = _unsure(compared, reaching, max_leaders, budget)
    neighbours = _neighbours(compared, threshold)
    equals = _estimated_equals(compared)
    count = len(compared)
    result = np.zeros(count, np.uint8)
    # By group: whether a document of it is there, and whether one is kept, each for certain or perhaps.
    there, kept = bytearray(count), bytearray(count)
    groups = compared.groups.tolist()
    for node, (group, state, doubt) in enumerate(zip(groups, reaching.tolist(), unsure.tolist())):
        if state == GONE:
            continue
        strongest = max((kept[other] for other in neighbours.get(group, ())), default=GONE)
        strongest = max([strongest, *(int(reaching[other]) for other in equals.get(node, ()))])
        if there[group] == THERE:
            fate = DROPS
        elif doubt:
            fate = UNKNOWN
        else:
            fate = max(strongest, there[group])
        result[node] = fate
        there[group] = max(there[group], state)
        kept[group] = max(kept[group], min(state, THERE - fate))
    return result


def _neighbours(compared: Compared, threshold: int) -> dict[int, list[int]]:
    """Similar groups of each group."""
    similar = (compared.similarity >= threshold) & ((compared.flags & (UNCOMPARED | IDENTICAL)) == 0)
    # With its budget spent, a document need not have met the first of a group when it met another one of it.
    spent = np.isin(compared.members, compared.members[(compared.flags & UNCOMPARED) != 0])
    similar &= ~spent | (compared.groups[compared.leaders] == compared.leaders)
    one, other = compared.groups[compared.leaders[similar]], compared.groups[compared.members[similar]]
    pairs = np.unique(np.stack([np.concatenate([one, other]), np.concatenate([other, one])]), axis=1)
    return _lists(pairs[0], pairs[1])


def _estimated_equals(compared: Compared) -> dict[int, list[int]]:
    """Preferred documents whose samples of shingles are those of a document: it shares their fate."""
    equal = (compared.flags & (IDENTICAL | SAMPLED)) == IDENTICAL | SAMPLED
    return _lists(compared.members[equal], compared.leaders[equal])


def _lists(keys: Int64, values: Int64) -> dict[int, list[int]]:
    found: dict[int, list[int]] = {}
    for key, value in zip(keys.tolist(), values.tolist()):
        found.setdefault(key, []).append(value)
    return found


def _unsure(compared: Compared, reaching: UInt8, max_leaders: int, budget: int) -> Bool:
    """Documents, bool[n], that may meet others than they did: see the module."""
    count = len(compared)
    unsure = np.zeros(count, np.bool_)
    gone = reaching != THERE
    if not gone.any() or len(compared.leaders) == 0:
        return unsure
    leaders, members = compared.leaders, compared.members
    lost = np.zeros(count, np.bool_)
    lost[members[gone[leaders]]] = True
    spent = np.zeros(count, np.bool_)
    spent[members[(compared.flags & UNCOMPARED) != 0]] = True
    full = np.bincount(members, minlength=count) >= max_leaders
    unsure |= lost & (spent | full)
    unsure |= _stand_ins(compared, gone, budget)
    # Of documents whose samples are equal nobody knows whether they share all bands.
    estimated = ((compared.flags & (IDENTICAL | SAMPLED)) == IDENTICAL | SAMPLED) & gone[leaders]
    left = np.zeros(count, np.bool_)
    left[leaders[estimated]] = True
    unsure[members[left[leaders]]] = True
    unsure[leaders[left[members]]] = True
    return unsure


def _stand_ins(compared: Compared, gone: Bool, budget: int) -> Bool:
    """Documents, bool[n], of groups that lost their first one, where the next may have too little budget for all."""
    count = len(compared)
    headless = np.zeros(count, np.bool_)
    first = np.unique(compared.groups, return_index=True)[1]
    headless[compared.groups[first[gone[first]]]] = True
    one, other = compared.groups[compared.leaders], compared.groups[compared.members]
    met = np.unique(np.stack([np.concatenate([one, other]), np.concatenate([other, one])]), axis=1)
    meets = np.bincount(met[0], minlength=count)
    sizes = np.maximum(compared.sizes, 1)
    allowed = np.maximum(MINIMUM_COMPARISONS, budget // sizes)
    return np.asarray(headless[compared.groups] & (meets[compared.groups] > allowed), np.bool_)


def kept_at(
    compared: Compared,
    reaching: UInt8,
    counted: Bool,
    thresholds: Sequence[int],
    max_leaders: int = 1,
    budget: int = 0,
) -> list[int]:
    """How many of the documents `counted` bool[n] that are there are kept for certain, at each threshold."""
    found = []
    for threshold in thresholds:
        states = outcomes(compared, reaching, threshold, max_leaders, budget)
        found.append(int(((states == KEEPS) & (reaching == THERE) & counted).sum()))
    return found
