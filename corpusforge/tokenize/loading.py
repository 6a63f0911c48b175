"""A tokenizer from a file of any of three kinds, told apart by their contents."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

from corpusforge.errors import UsageError
from corpusforge.names import nearest

if TYPE_CHECKING:
    from corpusforge.step import RunContext
    from corpusforge.tokenize.tiktoken_file import Scheme
    from corpusforge.tokenize.tokenizer import Tokenizer

FILE_NAMES = ("tokenizer.model", "tokenizer.json", "tokenizer.tiktoken")
"""Under which a run keeps its tokenizer: SentencePiece's, Hugging Face's, tiktoken's."""


def load_tokenizer(
    data: bytes, scheme: Scheme | None = None, end_token: str | None = None, needs_end: bool = True
) -> Tokenizer:
    """The tokenizer of a SentencePiece model, a ``tokenizer.json``, or a file of tiktoken's ranks.

    `scheme` says what tiktoken's file does not: pattern and control tokens; `end_token` is the spelling of the end
    token of a tokenizer.json that has none of the known ones, or several; without `needs_end` it may stay open.
    Raises `UsageError` for other files, for a file that needs what is not given, and for what is given and not needed.
    """
    name = file_name_of(data)
    if name == "tokenizer.json":
        from corpusforge.tokenize.huggingface import HuggingFaceTokenizer

        _unneeded("scheme", scheme, "a tokenizer.json")
        return HuggingFaceTokenizer(data, end_token, needs_end)
    if name == "tokenizer.tiktoken":
        from corpusforge.tokenize.tiktoken_file import TiktokenTokenizer

        _unneeded("end_token", end_token, "a file of tiktoken's ranks")
        if scheme is None:
            raise UsageError(
                "tiktoken's file does not say how it splits texts: name its scheme (tokenize.scheme: gpt2, cl100k, "
                "llama3 or o200k)"
            )
        return TiktokenTokenizer(data, scheme)
    from corpusforge.tokenize.encoder import Encoder

    _unneeded("scheme", scheme, "a SentencePiece model")
    _unneeded("end_token", end_token, "a SentencePiece model")
    return Encoder(data)


def file_name_of(data: bytes) -> str:
    """Which of `FILE_NAMES` a tokenizer's file goes by, from its contents."""
    start = data[:4096].lstrip()
    if start.startswith(b"{"):
        return "tokenizer.json"
    return "tokenizer.tiktoken" if _looks_like_ranks(start) else "tokenizer.model"


def _looks_like_ranks(start: bytes) -> bool:
    words = start.split(b"\n", 1)[0].split()
    return len(words) == 2 and words[1].isdigit() and all(0x20 < byte < 0x7F for byte in words[0])


def _unneeded(name: str, value: str | None, what: str) -> None:
    if value is not None:
        raise UsageError(f"tokenize.{name} is not for {what}")


def kept_file(context: RunContext, training: str) -> Path | None:
    """The file that the training task committed; None where no document was kept."""
    found = [context.files.get(f"{training}/{name}") for name in FILE_NAMES]
    return next((path for path in found if path is not None), None)


def tokenizer_of(shards: Path) -> Tokenizer | None:
    """The tokenizer that a run keeps in its folder of shards, with what its manifest says of it; None without one."""
    for name in FILE_NAMES:
        if (shards / name).is_file():
            manifest = shards / "manifest.json"
            facts = json.loads(manifest.read_bytes())["tokenizer"] if manifest.is_file() else {}
            return load_tokenizer((shards / name).read_bytes(), facts.get("scheme"), facts.get("end_token"))
    return None


def scheme_named(name: str | None) -> Scheme | None:
    """A scheme by its name. Raises `UsageError` for an unknown one."""
    from corpusforge.tokenize.tiktoken_file import SCHEMES

    if name is not None and name not in SCHEMES:
        raise UsageError(f"unknown scheme {name!r}{nearest(name, SCHEMES)}")
    return name
