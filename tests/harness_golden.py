"""Makes train/golden/harness.json: what the real lm-evaluation-harness says of a small model on items of ours.

    python tests/harness_golden.py

Needs `pip install "lm_eval[hf]==0.4.13"` beside torch. The items are generated in the layouts that the tasks'
authors publish; the harness reads them through its own task files, and runs a transformers LLaMA whose weights are
numbers from a counter (`weights`), so that the test can make the same model without either library.
"""

from __future__ import annotations

import base64
import json
import tempfile
from pathlib import Path
from typing import Any

import numpy as np

GOLDEN = Path(__file__).parent / "train" / "golden" / "harness.json"
SHAPE = {"layers": 2, "width": 32, "heads": 4, "key_value_heads": 2, "hidden": 64, "context": 80}
VOCABULARY = 480
ITEMS = 12

TASKS = {
    "blimp_agreement": ("blimp/_template_yaml", "train"),
    "blimp_islands": ("blimp/_template_yaml", "train"),
    "lambada_openai": ("lambada/lambada_openai.yaml", "test"),
    "arc_easy": ("arc/arc_easy.yaml", "test"),
    "piqa": ("piqa/piqa.yaml", "validation"),
    "winogrande": ("winogrande/default.yaml", "validation"),
    "hellaswag": ("hellaswag/hellaswag.yaml", "validation"),
}
"""Local name of each task: the harness' own file, and the split that it evaluates."""


def weights(name: str, shape: tuple[int, ...]) -> np.ndarray:
    """Weights float32: uniform numbers of a Philox stream named by the weight, wide enough to give opinions."""
    import hashlib

    if len(shape) == 1:
        return np.ones(shape, np.float32)
    key = int.from_bytes(hashlib.blake2b(name.encode(), digest_size=8).digest(), "little")
    words = np.random.Philox(key=key).random_raw(int(np.prod(shape)))
    uniform = (words >> np.uint64(40)).astype(np.float64) / (1 << 24) - 0.5
    return (uniform * 0.5).astype(np.float32).reshape(shape)


def rows() -> dict[str, list[dict[str, Any]]]:
    """Items of each task in its published layout."""
    from corpusforge.sample.draw import Draw
    from corpusforge.sample.pages import LANGUAGES
    from corpusforge.sample.text import Writer

    writer, draw = Writer(LANGUAGES["en"], Draw(0, "golden")), Draw(1, "golden")
    result: dict[str, list[dict[str, Any]]] = {name: [] for name in TASKS}
    for number in range(ITEMS):
        for name in ("blimp_agreement", "blimp_islands"):
            good = writer.sentence()
            words = good.split(" ")
            bad = " ".join([*words[1:3], words[0], *words[3:]])
            result[name].append({"sentence_good": good, "sentence_bad": bad})
        result["lambada_openai"].append({"text": writer.paragraph(1 + number % 4).rstrip(".")})
        choices = [writer.heading() for _ in range(4)]
        result["arc_easy"].append(
            {
                "question": writer.sentence(),
                "choices": {"text": choices, "label": list("ABCD")},
                "answerKey": "ABCD"[draw.below(4)],
            }
        )
        accents = " – naïve café" if number % 3 == 0 else ""
        result["piqa"].append(
            {
                "goal": writer.heading(),
                "sol1": writer.sentence() + accents,
                "sol2": writer.sentence(),
                "label": draw.below(2),
            }
        )
        words = writer.sentence().split(" ")
        words[2] = "_"
        first, second = words[0], words[-1].rstrip(".")
        result["winogrande"].append(
            {
                "sentence": " ".join(words),
                "option1": first,
                "option2": second,
                "answer": str(1 + draw.below(2)),
            }
        )
        endings = [writer.heading() + mark for mark in ("", " [title] More", "  twice", ".")]
        result["hellaswag"].append(
            {
                "activity_label": writer.heading(),
                "ctx_a": "[header] " + writer.sentence(),
                "ctx_b": writer.heading().lower(),
                "endings": endings,
                "label": str(draw.below(4)),
            }
        )
    return result


def texts() -> list[str]:
    """Texts for rolling log-likelihoods: shorter than the context, of about its length, several times as long."""
    from corpusforge.sample.draw import Draw
    from corpusforge.sample.pages import LANGUAGES
    from corpusforge.sample.text import Writer

    writer = Writer(LANGUAGES["en"], Draw(2, "golden"))
    return [writer.paragraph(count) for count in (1, 2, 3, 4, 6, 9)] + ["é", "Eins zwei\n\ndrei – vier."]


def tokenizer() -> bytes:
    from corpusforge.sample.draw import Draw
    from corpusforge.sample.pages import LANGUAGES
    from corpusforge.sample.text import plain_text
    from corpusforge.tokenize.sentencepiece_bpe import TokenizerParameters, train

    text = plain_text(LANGUAGES["en"], Draw(3, "golden"), 40_000)
    return train([text], TokenizerParameters(vocabulary_size=VOCABULARY))


def harness(items: dict[str, list[dict[str, Any]]], model: bytes, long_texts: list[str]) -> dict[str, Any]:
    """Results of the harness: metrics of each task, log-likelihoods of each request, and of the rolling texts."""
    import lm_eval
    import torch
    from lm_eval.api.instance import Instance
    from lm_eval.evaluator import simple_evaluate
    from lm_eval.models.huggingface import HFLM
    from lm_eval.tasks import TaskManager
    from tokenizers.models import WordLevel
    from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

    from corpusforge.texts import Texts
    from corpusforge.tokenize.encoder import Encoder
    from tokenizers import Tokenizer

    encoder = Encoder(model)
    shape = {
        "num_hidden_layers": SHAPE["layers"],
        "hidden_size": SHAPE["width"],
        "num_attention_heads": SHAPE["heads"],
        "num_key_value_heads": SHAPE["key_value_heads"],
        "intermediate_size": SHAPE["hidden"],
        "max_position_embeddings": SHAPE["context"],
    }
    config = LlamaConfig(
        vocab_size=encoder.vocabulary_size, tie_word_embeddings=True, rms_norm_eps=1e-5, **shape
    )
    network = LlamaForCausalLM(config).eval()
    with torch.no_grad():
        for name, parameter in network.named_parameters():
            parameter.copy_(torch.from_numpy(weights(our_name(name), tuple(parameter.shape))))

    class Ours(HFLM):
        """The harness' own model class, with our tokenizer and one prefix token before every context."""

        begin = True
        prefix_token_id = property(lambda self: encoder.eos_id)
        eot_token_id = property(lambda self: encoder.eos_id)

        def tok_encode(self, string: str, add_special_tokens: bool | None = None, **_: Any) -> list[int]:
            ids, _ = encoder.encode(Texts.from_strings([string]), end=False)
            prefix = [encoder.eos_id] if self.begin and add_special_tokens is not False else []
            return prefix + [int(one) for one in ids]

    unused = Tokenizer(WordLevel({"<s>": 0, "</s>": 1, "<unk>": 2}, unk_token="<unk>"))
    plain = PreTrainedTokenizerFast(
        tokenizer_object=unused, bos_token="<s>", eos_token="</s>", pad_token="</s>"
    )
    judge = Ours(pretrained=network, tokenizer=plain, device="cpu", batch_size=4, max_length=SHAPE["context"])
    own = Path(lm_eval.__file__).parent / "tasks"
    with tempfile.TemporaryDirectory() as folder:
        for name, (file, split) in TASKS.items():
            data = Path(folder) / f"{name}.jsonl"
            data.write_text("".join(json.dumps(row) + "\n" for row in items[name]))
            lines = [
                f"include: {own / file}",
                f"task: local_{name}",
                "dataset_path: json",
                "dataset_name: null",
            ]
            lines += ["dataset_kwargs:", "  data_files:", f"    {split}: {data}"]
            lines += [
                f"{kind}_split: null" for kind in ("training", "validation", "test") if kind not in split
            ]
            lines += ["tag: null"]
            if split == "train":
                lines += ["validation_split: train"]
            (Path(folder) / f"{name}.yaml").write_text("\n".join(lines) + "\n")
        found = simple_evaluate(
            model=judge,
            tasks=[f"local_{name}" for name in TASKS],
            task_manager=TaskManager(include_path=folder, include_defaults=False),
            bootstrap_iters=0,
            log_samples=True,
        )
    results = {}
    for name in TASKS:
        samples = sorted(found["samples"][f"local_{name}"], key=lambda one: one["doc_id"])
        metrics = {
            key.removesuffix(",none"): value
            for key, value in found["results"][f"local_{name}"].items()
            if key in ("acc,none", "acc_norm,none", "perplexity,none")
        }
        metrics["log_likelihoods"] = [[float(one[0][0]) for one in sample["resps"]] for sample in samples]
        results[name] = metrics
    judge.begin = False
    requests = [
        Instance("loglikelihood_rolling", {}, (text,), index) for index, text in enumerate(long_texts)
    ]
    rolled = [float(value) for value in judge.loglikelihood_rolling(requests)]
    return {"tasks": results, "rolling": rolled, "version": lm_eval.__version__}


def our_name(name: str) -> str:
    """Name of a transformers weight in `corpusforge.train.model`."""
    for theirs, ours in (
        ("model.embed_tokens", "embedding"),
        ("model.layers", "blocks"),
        ("model.norm", "norm"),
        ("self_attn.q_proj", "attention.query"),
        ("self_attn.k_proj", "attention.key"),
        ("self_attn.v_proj", "attention.value"),
        ("self_attn.o_proj", "attention.output"),
        ("mlp.gate_proj", "feed.gate"),
        ("mlp.up_proj", "feed.up"),
        ("mlp.down_proj", "feed.down"),
        ("input_layernorm", "attention_norm"),
        ("post_attention_layernorm", "feed_norm"),
    ):
        name = name.replace(theirs, ours)
    return name


def main() -> None:
    items, model, long_texts = rows(), tokenizer(), texts()
    golden = {
        "items": items,
        "texts": long_texts,
        "tokenizer": base64.b64encode(model).decode("ascii"),
        "shape": SHAPE,
        "harness": harness(items, model, long_texts),
    }
    GOLDEN.parent.mkdir(exist_ok=True)
    GOLDEN.write_text(json.dumps(golden, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    print(
        json.dumps(
            {
                k: {m: v for m, v in r.items() if m != "log_likelihoods"}
                for k, r in golden["harness"]["tasks"].items()
            }
        )
    )


if __name__ == "__main__":
    main()
