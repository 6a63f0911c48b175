"""Small tokenizers in the two formats that are not SentencePiece's, for tests that need no particular one."""

from __future__ import annotations

import base64
import json

from corpusforge.tokenize.huggingface_file import byte_alphabet

END = "<|endoftext|>"
_PAIRS = [
    "th",
    "the",
    " t",
    " the",
    "in",
    "ing",
    "er",
    "an",
    "and",
    " a",
    " and",
    "on",
    "re",
    "st",
    "ou",
    "es",
    "de",
]
"""Each is one character longer than two tokens before it, or made of two."""


def tokens() -> list[bytes]:
    """All bytes and a few words of English."""
    return [*(bytes([byte]) for byte in range(256)), *(pair.encode() for pair in _PAIRS)]


def rank_file() -> bytes:
    """tiktoken's file."""
    return b"".join(base64.b64encode(token) + b" %d\n" % rank for rank, token in enumerate(tokens()))


def tokenizer_json() -> bytes:
    """A byte-level BPE with GPT-2's pattern, as Hugging Face writes it."""
    spelled = {byte: character for character, byte in byte_alphabet().items()}
    names = ["".join(spelled[byte] for byte in token) for token in tokens()]
    known = set(names)
    merges = [
        [name[:cut], name[cut:]]
        for name in names[256:]
        for cut in range(1, len(name))
        if name[:cut] in known and name[cut:] in known
    ]
    vocabulary = {name: number for number, name in enumerate([END, *names])}
    level = {"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": True, "use_regex": True}
    end = {
        "id": 0,
        "content": END,
        "single_word": False,
        "lstrip": False,
        "rstrip": False,
        "normalized": False,
    }
    model = {"type": "BPE", "dropout": None, "unk_token": None, "fuse_unk": False, "byte_fallback": False}
    model |= {"continuing_subword_prefix": None, "end_of_word_suffix": None, "ignore_merges": False}
    whole = {"version": "1.0", "truncation": None, "padding": None, "added_tokens": [end | {"special": True}]}
    whole |= {"normalizer": None, "pre_tokenizer": level, "post_processor": None, "decoder": level}
    return json.dumps(whole | {"model": model | {"vocab": vocabulary, "merges": merges}}).encode()
