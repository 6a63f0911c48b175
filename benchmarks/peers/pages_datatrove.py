"""FineWeb's recipe with datatrove, one process, in an environment of its own (`pages_datatrove.lock`).

``python pages_datatrove.py FOLDER OUTPUT LID_MODEL``: every ``*.warc.gz`` of FOLDER to OUTPUT/kept/*.jsonl.gz. The
order and settings are those of datatrove's ``examples/fineweb.py``, but languages are labelled and none is dropped,
personal data stay, and extraction may take a minute a page, so that a busy machine drops none.
"""

import sys
from pathlib import Path

from datatrove.executor import LocalPipelineExecutor
from datatrove.pipeline.extractors import Trafilatura
from datatrove.pipeline.filters import (
    C4QualityFilter,
    FineWebQualityFilter,
    GopherQualityFilter,
    GopherRepetitionFilter,
    LanguageFilter,
    URLFilter,
)
from datatrove.pipeline.readers import WarcReader
from datatrove.pipeline.writers import JsonlWriter
from datatrove.utils.lid import FT176LID
from fasttext.FastText import _FastText


class LocalModel(FT176LID):
    """datatrove's identifier with a model that is there already: it would fetch lid.176.bin."""

    def __init__(self, path):
        super().__init__()
        self.path = path

    @property
    def model(self):
        """The model, loaded when it is first asked for."""
        if self._model is None:
            self._model = _FastText(self.path)
        return self._model


def main(source, target, model):
    """Read, extract, filter, write."""
    language = LanguageFilter(label_only=True)
    language.model = LocalModel(model)
    pipeline = [
        WarcReader(source, glob_pattern="*.warc.gz"),
        URLFilter(),
        Trafilatura(favour_precision=True, timeout=60),
        language,
        GopherRepetitionFilter(),
        GopherQualityFilter(),
        C4QualityFilter(filter_no_terminal_punct=False),
        FineWebQualityFilter(),
        JsonlWriter(str(Path(target) / "kept")),
    ]
    LocalPipelineExecutor(pipeline=pipeline, tasks=1, workers=1, logging_dir=str(Path(target) / "logs")).run()


if __name__ == "__main__":
    main(*sys.argv[1:])
