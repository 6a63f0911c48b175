"""Log-likelihoods of continuations: every token scored once, in float32, whatever the model trains in."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch
import torch.nn.functional as functional

from corpusforge.train.model import Llama

Int64 = npt.NDArray[np.int64]
UInt32 = npt.NDArray[np.uint32]
Float64 = npt.NDArray[np.float64]
Mask = npt.NDArray[np.bool_]

LOGITS = {"cpu": 1 << 20, "cuda": 1 << 24}
"""Logits that exist at a time: 64 MiB in float32 on a GPU, and on a CPU no more than its caches hold."""

BATCH_TOKENS = {"cpu": 4096, "cuda": 65536}
"""Tokens of a forward pass, padding included."""


@dataclass(frozen=True)
class Requests:
    """Request k: ``tokens[offsets[k]:offsets[k + 1]]``, of which the last `scored[k]` are to be predicted."""

    tokens: UInt32
    offsets: Int64
    scored: Int64


@dataclass(frozen=True)
class Scores:
    """Of each request the sum of log-probabilities in nats, and whether every token was the likeliest.

    The latter is false where it was not asked for.
    """

    log_likelihood: Float64
    greedy: Mask


def rolling(tokens: UInt32, offsets: Int64, prefix: int, context: int) -> tuple[Requests, Int64]:
    """Windows in which every token of each text is predicted once, and the text of each window int64[windows].

    The first window begins with the prefix token; the last is as long as the context allows, so that its tokens
    see as much as they can (lm-evaluation-harness, `get_rolling_token_windows` with a context of 1).
    """
    pieces: list[UInt32] = []
    scored: list[int] = []
    owners: list[int] = []
    start = np.array([prefix], np.uint32)
    for number, (begin, end) in enumerate(zip(offsets[:-1].tolist(), offsets[1:].tolist())):
        text = np.concatenate([start, tokens[begin:end]])
        for done in range(0, end - begin, context):
            count = min(context, end - begin - done)
            last = 1 + done + count
            pieces.append(text[max(0, last - context - 1) : last])
            scored.append(count)
            owners.append(number)
    lengths = np.array([0] + [len(piece) for piece in pieces], np.int64)
    joined = np.concatenate([np.zeros(0, np.uint32), *pieces])
    return Requests(joined, np.cumsum(lengths), np.array(scored, np.int64)), np.array(owners, np.int64)


def score(model: Llama, requests: Requests, greedy: Mask | None = None) -> Scores:
    """Score all requests; those longer than the context lose tokens on the left.

    `greedy` bool[requests] says of which it is asked whether every token was the likeliest (None: of all). Raises
    `ValueError` for a request that scores more tokens than the context has.
    """
    context = model.config.context
    count = len(requests.scored)
    if count and int(requests.scored.max()) > context:
        raise ValueError(f"a request scores {int(requests.scored.max())} tokens with a context of {context}")
    log_likelihood = np.zeros(count)
    asked = np.ones(count, np.bool_) if greedy is None else greedy
    likeliest = asked.copy()
    device = next(model.parameters()).device
    training = model.training
    model.eval()
    with torch.no_grad(), torch.autocast(device.type, enabled=False):
        for rows in _batches(requests, context, BATCH_TOKENS.get(device.type, 4096)):
            sums, misses = _score_batch(model, requests, rows, asked[rows], device)
            log_likelihood[rows] = sums
            likeliest[rows] &= misses == 0
    model.train(training)
    return Scores(log_likelihood, likeliest)


def _batches(requests: Requests, context: int, limit: int) -> Iterator[Int64]:
    """Requests of like length together, longest first: at most `limit` tokens with padding, or one request."""
    lengths = np.minimum(np.diff(requests.offsets) - 1, context)
    order = np.argsort(-lengths, kind="stable")
    order = order[requests.scored[order] > 0]
    begin = 0
    while begin < len(order):
        rows = max(1, limit // int(lengths[order[begin]]))
        yield order[begin : begin + rows]
        begin += rows


def _score_batch(
    model: Llama, requests: Requests, rows: Int64, asked: Mask, device: torch.device
) -> tuple[Float64, Float64]:
    """Of each row the sum of log-probabilities, and how many tokens were not the likeliest, where asked."""
    ends = requests.offsets[rows + 1]
    starts = np.maximum(requests.offsets[rows], ends - model.config.context - 1)
    width = int((ends - starts).max())
    tokens = np.zeros((len(rows), width), np.int64)
    for row, (start, end) in enumerate(zip(starts.tolist(), ends.tolist())):
        tokens[row, : end - start] = requests.tokens[start:end]
    lengths, scored = ends - starts - 1, requests.scored[rows]
    # Position p of a row predicts its token p + 1; the last `scored` positions count.
    owners = np.repeat(np.arange(len(rows)), scored)
    firsts = np.repeat(lengths - scored, scored)
    within = np.arange(int(scored.sum())) - np.repeat(np.cumsum(scored) - scored, scored)
    places = firsts + within
    inputs = torch.from_numpy(tokens[:, :-1]).to(device)
    states = model.hidden(inputs).reshape(-1, model.config.width)
    wanted = states[torch.from_numpy(owners * (width - 1) + places).to(device)]
    targets = torch.from_numpy(tokens[owners, places + 1]).to(device)
    chances, missed = _log_probabilities(model, wanted, targets, asked[owners])
    sums = np.bincount(owners, chances, len(rows)).astype(np.float64)
    return sums, np.bincount(owners, missed, len(rows)).astype(np.float64)


def _log_probabilities(
    model: Llama, states: torch.Tensor, targets: torch.Tensor, asked: Mask
) -> tuple[Float64, Mask]:
    """Log-probability of each target and, where asked, whether another one is likelier; not all logits at once."""
    step = max(1, LOGITS.get(states.device.type, LOGITS["cpu"]) // model.config.vocabulary_size)
    chances = np.empty(len(targets))
    missed = np.zeros(len(targets), np.bool_)
    for begin in range(0, len(targets), step):
        some = slice(begin, begin + step)
        logits = functional.linear(states[some], model.head_weight).float()
        chances[some] = (
            functional.log_softmax(logits, dim=-1).gather(-1, targets[some, None])[:, 0].cpu().numpy()
        )
        among = np.flatnonzero(asked[some])
        if len(among):
            best = logits[torch.from_numpy(among).to(logits.device)].argmax(-1).cpu().numpy()
            missed[begin + among] = best != targets[some].cpu().numpy()[among]
    return chances, missed
