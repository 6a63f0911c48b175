"""BPE encoding beside other libraries in one run: speed, and equality of ids.

    python benchmarks/encoder.py [--megabytes 30] [--rounds 3] [--data FOLDER]

Models: Llama 2's as SentencePiece ships it, GPT-2's tokenizer.json, and cl100k's ranks; the text is the mixed
corpus, in batches as a step gets them. Every round of ours begins with an empty cache of chunks, and every round of
gigatoken and fastokens with a tokenizer of its own, so that no text was seen before. Speed is in MB (10^6 bytes of
UTF-8 text) per CPU second of this process, all threads; ours and the library take turns, and the ratio is the median of
the rounds' ratios. Libraries run on one thread (the slowest, tokenizers, gets the first tenth of the text).

gigatoken and fastokens are in the table where Python finds them (`pip install --no-deps --target FOLDER -r
benchmarks/peers/encoders.lock`, then FOLDER in PYTHONPATH).
"""

from __future__ import annotations

import argparse
import gzip
import importlib.util
import json
import os
import statistics
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import sentencepiece
from steps import batches, calibration, corpus, seconds

from corpusforge.step import LiveRows
from corpusforge.tokenize.encoder import Encoder
from corpusforge.tokenize.huggingface import HuggingFaceTokenizer
from corpusforge.tokenize.model_file import CONTROL, NORMAL, SPACE_SYMBOL, UNKNOWN, read_model_file
from corpusforge.tokenize.tiktoken_file import TiktokenTokenizer
from corpusforge.tokenize.tokenizer import Tokenizer


@dataclass
class Library:
    """A library with a model: `make` gives a fresh encoder of texts, `ids` all ids of what that gives."""

    name: str
    make: Callable[[], Callable[[list[str]], Any]]
    ids: Callable[[Any], np.ndarray]
    part: int = 1
    """It gets this part of the text."""


def lists(encoded: list[list[int]]) -> np.ndarray:
    """Ids of a list per text."""
    return np.concatenate([np.asarray(ids, np.int64) for ids in encoded])


def compare(
    model: str, own: Tokenizer, library: Library, ready: list[LiveRows], texts: list[str], rounds: int
) -> str:
    """A line of the table."""
    few = ready[: max(1, len(ready) // library.part)]
    texts = texts[: sum(len(rows.texts) for rows in few)]
    size = sum(len(text.encode()) for text in texts) / 1e6

    def ours() -> None:
        own.forget()
        for rows in few:
            own.encode(rows.texts)

    expected = library.ids(library.make()(texts))
    found = np.concatenate([ids_of(own.encode(rows.texts)) for rows in few])
    mine, theirs = [], []
    for _ in range(rounds):
        encode = library.make()
        mine.append(seconds(ours))
        theirs.append(seconds(partial(encode, texts)))
    ratio = statistics.median(other / own_time for own_time, other in zip(mine, theirs))
    return (
        f"| {model} | {library.name} | {size:.1f} | {len(found):,} | {np.array_equal(expected, found)} "
        f"| {size / statistics.median(theirs):.1f} | {size / statistics.median(mine):.1f} | {ratio:.2f} |"
    )


def ids_of(encoded: tuple[np.ndarray, np.ndarray]) -> np.ndarray:
    """Ids of a batch without the end token, which libraries do not write."""
    ids, offsets = encoded
    kept = np.ones(len(ids), bool)
    kept[offsets[1:] - 1] = False
    return ids[kept]


def gigatoken(load: Callable[[Any], Any]) -> Iterator[Library]:
    """gigatoken, where it is installed; its result is an array, as ours is."""
    if importlib.util.find_spec("gigatoken") is not None:
        import gigatoken as library

        def make() -> Callable[[list[str]], Any]:
            tokenizer = load(library.Tokenizer)
            return lambda texts: tokenizer.encode_batch(texts, parallel=False)

        yield Library(
            "gigatoken 0.10.0", make, lambda found: np.concatenate([np.asarray(ids) for ids in found])
        )


def fastokens(load: Callable[[Any], Any]) -> Iterator[Library]:
    """fastokens, where it is installed: all ids in one piece, control tokens as text."""
    if importlib.util.find_spec("fastokens") is not None:
        import fastokens as library

        def make() -> Callable[[list[str]], Any]:
            tokenizer = load(library.Tokenizer)
            return lambda texts: tokenizer.encode_batch_flat(texts, False, True)

        yield Library("fastokens 0.3.5", make, lambda found: np.frombuffer(found[0], np.uint32))


def exported(model: bytes) -> str:
    """A SentencePiece BPE as tokenizer.json, as transformers exports Llama 2's.

    A merge is every way to put a piece together of two others; the better its score the earlier.
    """
    file = read_model_file(model)
    places = {text: number for number, (text, _) in enumerate(file.pieces)}
    merges = [
        (-file.scores[places[text]], places[text[:cut]], places[text[cut:]])
        for text, kind in file.pieces
        for cut in range(1, len(text))
        if kind == NORMAL and text[:cut] in places and text[cut:] in places
    ]
    pairs = [[file.pieces[left][0], file.pieces[right][0]] for _, left, right in sorted(merges)]
    control = {"single_word": False, "lstrip": False, "rstrip": False, "normalized": False, "special": True}
    added = [
        {"id": places[text], "content": text, **control}
        for text, kind in file.pieces
        if kind in (UNKNOWN, CONTROL)
    ]
    steps = [
        {"type": "Prepend", "prepend": SPACE_SYMBOL},
        {"type": "Replace", "pattern": {"String": " "}, "content": SPACE_SYMBOL},
    ]
    bpe = {"type": "BPE", "dropout": None, "unk_token": "<unk>", "fuse_unk": True, "byte_fallback": True}
    bpe |= {"continuing_subword_prefix": None, "end_of_word_suffix": None, "ignore_merges": False}
    whole = {
        "version": "1.0",
        "truncation": None,
        "padding": None,
        "added_tokens": added,
        "pre_tokenizer": None,
    }
    whole |= {
        "post_processor": None,
        "decoder": None,
        "normalizer": {"type": "Sequence", "normalizers": steps},
    }
    return json.dumps(whole | {"model": bpe | {"vocab": places, "merges": pairs}})


def of_sentencepiece(path: Path) -> Iterator[tuple[Tokenizer, Library]]:
    """Llama 2's model."""
    model = path.read_bytes()
    own, processor, export = (
        Encoder(model),
        sentencepiece.SentencePieceProcessor(model_proto=model),
        exported(model),
    )

    def make() -> Callable[[list[str]], Any]:
        return lambda texts: processor.encode(texts, num_threads=1)

    yield own, Library(f"sentencepiece {sentencepiece.__version__}", make, lists)
    for library in (
        *gigatoken(lambda peer: peer.from_sentencepiece(model)),
        *fastokens(lambda peer: peer.from_json_str(export)),
    ):
        yield own, library


def of_huggingface(path: Path) -> Iterator[tuple[Tokenizer, Library]]:
    """GPT-2's tokenizer.json."""
    import tokenizers

    data = gzip.decompress(path.read_bytes())
    own = HuggingFaceTokenizer(data)
    reference: Any = tokenizers.Tokenizer.from_str(data.decode())
    reference.encode_special_tokens = True

    def make() -> Callable[[list[str]], Any]:
        return lambda texts: reference.encode_batch_fast(texts, add_special_tokens=False)

    yield (
        own,
        Library(
            f"tokenizers {tokenizers.__version__}",
            make,
            lambda found: lists([item.ids for item in found]),
            part=10,
        ),
    )
    for library in (
        *gigatoken(lambda peer: peer.from_json(data)),
        *fastokens(lambda peer: peer.from_json_str(data.decode())),
    ):
        yield own, library


def of_tiktoken(path: Path) -> Iterator[tuple[Tokenizer, Library]]:
    """cl100k's ranks."""
    import tiktoken

    ranks = path.read_bytes()
    own, encoding = (
        TiktokenTokenizer(ranks, "cl100k"),
        TiktokenTokenizer(ranks, "cl100k", library=True)._library,
    )

    def make() -> Callable[[list[str]], Any]:
        return lambda texts: [encoding.encode_ordinary(text) for text in texts]

    yield own, Library(f"tiktoken {tiktoken.__version__}", make, lists)
    for library in (
        *gigatoken(lambda peer: peer.from_tiktoken(str(path), "cl100k")),
        *fastokens(lambda peer: peer.from_tiktoken(str(path), encoding="cl100k_base")),
    ):
        yield own, library


def main() -> None:
    os.environ["TOKENIZERS_PARALLELISM"] = "false"
    os.environ["RAYON_NUM_THREADS"] = "1"
    parser = argparse.ArgumentParser()
    beside = Path(__file__).parent.parent.parent / "shared" / "data"
    parser.add_argument("--data", type=Path, default=Path(os.environ.get("CORPUSFORGE_DATA", beside)))
    parser.add_argument("--megabytes", type=float, default=30)
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    models = options.data / "models"
    texts = corpus(options.data / "bench" / "corpus.jsonl.zst", int(options.megabytes * 1e6))
    ready = list(batches(texts))
    loop = [calibration()]
    print("| model | library | MB | tokens | equal ids | library MB/s | own MB/s | ratio |")
    print("|---|---|---|---|---|---|---|---|")
    for model, pairs in (
        ("Llama 2", of_sentencepiece(models / "llama2-tokenizer.model")),
        ("GPT-2", of_huggingface(models / "gpt2-tokenizer.json.gz")),
        ("cl100k", of_tiktoken(models / "cl100k_base.tiktoken")),
    ):
        for own, library in pairs:
            print(compare(model, own, library, ready, texts, options.rounds), flush=True)
            loop.append(calibration())
    print(f"\n{len(texts):,} documents; calibration loop: {min(loop):.0f} to {max(loop):.0f} ms")


if __name__ == "__main__":
    main()
