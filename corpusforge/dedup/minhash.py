"""Near-duplicate documents: MinHash finds candidates, exact Jaccard verifies them, priority decides.

The stages, all of fixed number: band keys by bucket; candidate pairs by leader; requests to the documents'
shards; shingle sets by leader, compared exactly; then rounds of stars (`corpusforge.dedup.stars`); decisions
to the shards. The comparison of signatures that could spare some sets their way is left out: it would decide
by an estimate, and with it the kept set would no longer follow from the documents' similarities alone.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Annotated, ClassVar, Literal

import numpy as np
import pyarrow as pa
from pydantic import Field

from corpusforge.dedup.against import Against
from corpusforge.dedup.buckets import BandEmitter, BucketReducer, RequestReducer, pair_spec, request_spec
from corpusforge.dedup.decisions import apply_decisions, decision_spec
from corpusforge.dedup.keepers import LeaderKeeper, OpenKeeper, StateKeeper
from corpusforge.dedup.scopes import DumpParameters
from corpusforge.dedup.shingling import ShingleUnit, check_tokenizer, tokenizer_fingerprint
from corpusforge.dedup.stars import (
    DROPPED,
    UNDECIDED,
    FateReducer,
    LeaderRound,
    MemberRound,
    fate_spec,
    leader_spec,
    member_spec,
)
from corpusforge.dedup.verify import SetEmitter, VerifyReducer
from corpusforge.step import RATIO, LiveRows, MapStep, Measured, Rule, Signal

if TYPE_CHECKING:
    from corpusforge.plan import PlanBuilder

ROUNDS = 3
"""Rounds in which fates spread. Three decide chains of up to three survivors; a last pass takes the rest."""


class MinhashParameters(DumpParameters):
    """Parameters of `minhash_dedup`. Bands should over-generate, as candidates are verified.

    With s the Jaccard similarity, a pair is a candidate with probability 1 - (1 - s^rows)^bands: at s = 0.8
    that is 0.92 for 14 bands of 8 rows and 0.996 for 18 of 6.
    """

    rules: str | None = None
    """Settings by name (``filters/dedup.yaml``); null: the defaults below."""
    ngram: Annotated[int, Field(ge=1, le=100)] = 5
    """Units per shingle; a document of fewer units is one shingle."""
    shingle: ShingleUnit = "word"
    """Unit of a shingle. `word`: runs of letters, digits and marks, each character in scripts without spaces; `space`:
    what stands between white space, as it stands; `character`, with runs of white space as one; `token`: of
    `tokenizer`, which cost some five times as much as words."""
    lowercase: bool = True
    """Words and characters are compared in lower case."""
    remove_punctuation: bool = False
    """Characters are compared without the 32 punctuation marks of ASCII."""
    tokenizer: str | None = None
    """For tokens: the file of a SentencePiece model or a Hugging Face ``tokenizer.json``."""
    scope: Literal["dump", "global"] = "global"
    """`dump`: documents of different dumps are never compared."""
    bands: Annotated[int, Field(ge=1, le=4096)] = 18
    rows: Annotated[int, Field(ge=1, le=4096)] = 6
    threshold: Annotated[float, Field(gt=0, le=1)] = 0.75
    """Least exact Jaccard similarity of duplicates."""
    scheme: Literal["affine32", "affine64"] = "affine64"
    """Permutations, as `datasketch` 2 names them."""
    seed: Annotated[int, Field(ge=0, lt=2**32)] = 1
    """Of the permutations."""
    max_leaders: Annotated[int, Field(ge=1, le=4096)] = 64
    """Preferred documents of a bucket that the others of it are compared with."""
    max_shingles: Annotated[int, Field(ge=16, le=2**20)] = 16384
    """Distinct shingles of a document that are compared; of longer ones the smallest hashes, and its
    similarities are then estimates (signal `sampled`)."""
    min_shingles: Annotated[int, Field(ge=1)] = 1
    """Documents with fewer shingles are never compared."""
    comparison_budget: Annotated[int, Field(ge=16)] = 1 << 16
    """Shingle hashes that one document sends to be compared, over all its candidates, best ranked first; at
    least four candidates are served."""
    duplicate: bool | None = True
    """True drops duplicates; null only measures them."""


class MinhashDedup(MapStep):
    """Drops documents that are similar to a preferred document that is kept."""

    name: ClassVar[str] = "minhash_dedup"
    summary: ClassVar[str] = "drops near-duplicates: MinHash candidates, verified by exact Jaccard similarity"
    Parameters = MinhashParameters
    reads = "none"
    signals = (
        Signal("duplicate", description="1 when a kept, preferred document is similar, else 0"),
        Signal(
            "similarity", RATIO, description="Jaccard similarity to that document; null where there is none"
        ),
        Signal("sampled", description="1 when the similarity was measured on a sample of the shingles"),
        Signal("copies", description="documents that are dropped for this one"),
    )
    rules = (Rule("duplicate", "duplicate", "is_true"),)
    replayed = ("threshold",)

    def fingerprint(self) -> dict[str, str]:
        """Hash of the tokenizer, if there is one."""
        return tokenizer_fingerprint(self.parameters)

    def check(self) -> None:
        """Raise `UsageError` when shingles are of tokens and the tokenizer is missing."""
        check_tokenizer(self.parameters, self.instance)

    def compile(self, builder: PlanBuilder) -> None:
        """Add the stages."""
        parameters: MinhashParameters = self.parameters

        def name(part: str) -> str:
            return f"{self.instance}.{part}"

        earlier = Against(builder, self)
        builder.exchange(BandEmitter(parameters, name("bands")))
        buckets = BucketReducer(parameters.max_leaders, pair_spec(name("pairs")))
        builder.reduce(name("bands"), earlier.new_members(buckets), LeaderKeeper(parameters.max_leaders))
        requests = RequestReducer(request_spec(name("requests")))
        asked = replace(request_spec(name("asked")), earlier=True)
        builder.reduce(name("pairs"), earlier.split(requests, asked))
        builder.join(name("requests"))
        builder.exchange(SetEmitter(parameters, name("requests"), name("sets")))
        answers = earlier.answers(asked.name, SetEmitter(parameters, asked.name, name("sets.earlier")))
        leaders = [leader_spec(name(f"leaders{turn}")) for turn in range(1, ROUNDS + 1)]
        fates = fate_spec(name("fates"))
        builder.reduce(name("sets"), VerifyReducer(parameters.threshold, leaders[0]), also=answers)
        states = earlier.states([*leaders, fates], name("states"))
        kept = StateKeeper((DROPPED, UNDECIDED))
        for turn, spec in enumerate(leaders[:-1]):
            members = member_spec(name(f"members{turn + 1}"))
            round_ = LeaderRound(members, last=False)
            builder.reduce(spec.name, round_, kept, states[spec.name], met=False)
            builder.reduce(members.name, MemberRound(leaders[turn + 1]))
        last = leaders[-1].name
        builder.reduce(last, LeaderRound(fates, last=True), kept, states[last], met=False)
        decisions = FateReducer(decision_spec(name("decisions")))
        builder.reduce(fates.name, decisions, OpenKeeper(), states[fates.name], met=False)
        builder.join(name("decisions"))
        builder.map(self)

    def measure(self, rows: LiveRows) -> Measured:
        """Read the decisions."""
        measured, details = apply_decisions(rows, f"{self.instance}.decisions")
        similarity = np.zeros(len(rows), np.int64)
        similarity[details["row"]] = details["similarity"]
        sampled = np.zeros(len(rows), np.int64)
        sampled[details["row"]] = details["sampled"]
        missing = np.asarray(measured.signals["duplicate"]) == 0
        signals = dict(measured.signals) | {
            "similarity": pa.array(similarity, mask=missing),
            "sampled": pa.array(sampled, mask=missing),
        }
        return Measured(signals=signals, twins=measured.twins)
