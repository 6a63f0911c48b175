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


THRESHOLDS_AT_ONCE = 60
"""Thresholds that are decided together, a bit of an integer each."""


def outcomes(
    compared: Compared, reaching: UInt8, threshold: int, max_leaders: int = 1, budget: int = 0
) -> UInt8:
    """`KEEPS`, `UNKNOWN` or `DROPS` uint8[n] of each compared document, if it reaches the step.

    `reaching` uint8[n]: `GONE`, `PERHAPS` or `THERE`. `threshold`: least similarity in units of 1 / RATIO.
    `max_leaders`, `budget`: those of the run.
    """
    return np.asarray(outcomes_at(compared, reaching, [threshold], max_leaders, budget)[0])


def outcomes_at(
    compared: Compared, reaching: UInt8, thresholds: Sequence[int], max_leaders: int = 1, budget: int = 0
) -> UInt8:
    """`outcomes` at each of k thresholds, uint8[k, n]; many cost little more than one."""
    unsure = _unsure(compared, reaching, max_leaders, budget)
    equals = _estimated_equals(compared)
    order = np.argsort(np.asarray(thresholds, np.int64), kind="stable")
    found = np.zeros((len(thresholds), len(compared)), np.uint8)
    for first in range(0, len(thresholds), THRESHOLDS_AT_ONCE):
        part = order[first : first + THRESHOLDS_AT_ONCE]
        rising = np.asarray(thresholds, np.int64)[part]
        found[part] = _decided(compared, reaching, rising, unsure, equals)
    return found


def _decided(
    compared: Compared, reaching: UInt8, rising: Int64, unsure: Bool, equals: dict[int, list[int]]
) -> UInt8:
    """Decide in the order of preference: bit i of every integer stands for threshold i."""
    count, all_of_them = len(compared), (1 << len(rising)) - 1
    neighbours = _neighbours(compared, rising)
    # By group: whether a document of it is there, and at which thresholds one is kept, for certain or at least perhaps
    there, surely_kept, perhaps_kept = bytearray(count), [0] * count, [0] * count
    dropped, undecided = np.zeros(count, np.uint64), np.zeros(count, np.uint64)
    groups = compared.groups.tolist()
    for node, (group, state, doubt) in enumerate(zip(groups, reaching.tolist(), unsure.tolist())):
        if state == GONE:
            continue
        surely = perhaps = 0
        if there[group] == THERE:
            surely = perhaps = all_of_them
        elif doubt:
            perhaps = all_of_them
        else:
            for other, at in neighbours.get(group, ()):
                surely |= surely_kept[other] & at
                perhaps |= perhaps_kept[other] & at
            strongest = max([there[group], *(int(reaching[other]) for other in equals.get(node, ()))])
            perhaps |= all_of_them if strongest != GONE else 0
            surely |= all_of_them if strongest == THERE else 0
        dropped[node], undecided[node] = surely, perhaps & ~surely
        there[group] = max(there[group], state)
        perhaps_kept[group] |= all_of_them & ~surely
        surely_kept[group] |= all_of_them & ~perhaps if state == THERE else 0
    bits = np.arange(len(rising), dtype=np.uint64)[:, np.newaxis]
    one = np.uint64(1)
    return np.asarray(DROPS * (dropped >> bits & one) + UNKNOWN * (undecided >> bits & one), np.uint8)


def _neighbours(compared: Compared, rising: Int64) -> dict[int, list[tuple[int, int]]]:
    """Groups that each group was compared with, and the thresholds that they are similar at, a bit each."""
    usable = (compared.similarity >= rising[0]) & ((compared.flags & (UNCOMPARED | IDENTICAL)) == 0)
    # With its budget spent, a document need not have met the first of a group when it met another one of it.
    spent = np.isin(compared.members, compared.members[(compared.flags & UNCOMPARED) != 0])
    usable &= ~spent | (compared.groups[compared.leaders] == compared.leaders)
    reached = np.searchsorted(rising, compared.similarity[usable], "right").tolist()
    sides = (compared.groups[side[usable]].tolist() for side in (compared.leaders, compared.members))
    found: dict[int, list[tuple[int, int]]] = {}
    for one, other, below in zip(*sides, reached):
        at = (1 << below) - 1
        found.setdefault(one, []).append((other, at))
        found.setdefault(other, []).append((one, at))
    return found


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
    states = outcomes_at(compared, reaching, thresholds, max_leaders, budget)
    return [int(((each == KEEPS) & (reaching == THERE) & counted).sum()) for each in states]
