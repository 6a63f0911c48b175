"""Which encoding a page is in: the standard's order, real pages, wrong declarations."""

from __future__ import annotations

import codecs
import re
import zipfile
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from corpusforge.extract.charset import codec_of, decode, decode_to_utf8, meta_charset

RUSSIAN = "Съешь же ещё этих мягких французских булок, да выпей чаю. " * 10


def test_the_order_of_evidence() -> None:
    page = '<meta charset="koi8-r">' + RUSSIAN
    assert decode(page.encode("koi8-r")).encoding == "koi8-r"
    assert decode(page.encode("cp1251"), "windows-1251").text == page
    assert decode(b"\xef\xbb\xbf" + page.encode(), "windows-1251").text == page
    assert decode(b"\xff\xfe" + page.encode("utf-16-le"), "utf-8").text == page
    assert decode(b"\xfe\xff" + page.encode("utf-16-be")).text == page
    assert decode(RUSSIAN.encode("cp1251")).text == RUSSIAN
    assert decode(page.encode("koi8-r"), "no-such-label").encoding == "koi8-r"


def test_wrong_declarations() -> None:
    assert decode(RUSSIAN.encode(), "iso-8859-1").text == RUSSIAN
    assert decode(("<meta charset=windows-1251>" + RUSSIAN).encode("cp1251"), "utf-8").encoding == "cp1251"
    assert decode(RUSSIAN.encode("cp1251"), "utf-8").text == RUSSIAN
    broken = RUSSIAN.encode()[:-9] + b"\xff\xfe\xfd" + RUSSIAN.encode()
    assert (decode(broken, "utf-8").encoding, decode(broken, "utf-8").replacement_characters > 0) == (
        "utf-8",
        True,
    )


CHINESE = "中文网页的编码声明常常是错的。"
COMMON_BUT_VALID_UTF_8 = bytes.fromhex("c2a1 c7b0 cab1 cbbf").decode("gbk")
"""Four common characters whose bytes in GBK happen to be valid UTF-8."""


@pytest.mark.parametrize("label", ["gbk", "gb2312", "shift_jis", "euc-jp", "euc-kr", "big5"])
def test_utf_8_under_a_double_byte_label(label: str) -> None:
    for payload in (CHINESE.encode(), f"<meta charset={label}>{CHINESE}".encode()):
        assert decode(payload, label).encoding == "utf-8"
        assert decode_to_utf8(payload, label) == (payload, 0)
    assert decode(f"<meta charset={label}>{CHINESE}".encode()).text.endswith(CHINESE)


def test_a_double_byte_label_that_is_right_is_believed() -> None:
    assert decode(CHINESE.encode("gbk"), "gbk").text == CHINESE
    assert decode("これは日本語の文章です。".encode("euc-jp"), "euc-jp").encoding == "euc_jp"
    accident = COMMON_BUT_VALID_UTF_8.encode("gbk")
    assert accident.decode("utf-8")
    assert decode(accident, "gbk").text == COMMON_BUT_VALID_UTF_8
    assert decode(b"only ASCII", "gbk").text == "only ASCII"


@pytest.mark.parametrize(
    ("label", "codec"),
    [
        ("latin1", "cp1252"),
        ("ISO-8859-1", "cp1252"),
        (" UTF8 ", "utf-8"),
        ("unicode-1-1-utf-8", "utf-8"),
        ("x-sjis", "cp932"),
        ("gb2312", "gb18030"),
        ("ks_c_5601-1987", "cp949"),
        ("tis-620", "cp874"),
        ("big5-hkscs", "big5hkscs"),
        ("iso-8859-9", "cp1254"),
        ("x-mac-cyrillic", "mac-cyrillic"),
        ("x-user-defined", "cp1252"),
        ("utf-7", None),
        ("bogus", None),
        ("", None),
        ("ütf-8", None),
    ],
)
def test_labels(label: str, codec: str | None) -> None:
    assert codec_of(label) == codec


@pytest.mark.parametrize(
    ("head", "codec"),
    [
        (b"<meta charset=koi8-r>", "koi8-r"),
        (b"<META CHARSET = 'koi8-r' />", "koi8-r"),
        (b'<meta http-equiv="Content-Type" content="text/html; charset=koi8-r">', "koi8-r"),
        (b'<meta content="text/html; charset=koi8-r">', None),
        (b'<meta http-equiv=refresh content="0; charset=koi8-r">', None),
        (b"<!-- <meta charset=koi8-r> -->", None),
        (b"<p title='<meta charset=koi8-r>'><meta charset=big5>", "big5hkscs"),
        (b"<meta charset=utf-16><p>", "utf-8"),
        (b"<meta charset=bogus><meta charset=koi8-r>", "koi8-r"),
        (b"<metadata charset=koi8-r>", None),
        (b"<meta charset=koi8-r charset=big5>", "koi8-r"),
        (b"<meta charset=koi8-", None),
        (b"<meta " + b"a" * 20000 + b" charset=koi8-r>", None),
        (b"<!-- never ends <meta charset=koi8-r>", None),
    ],
)
def test_meta_elements(head: bytes, codec: str | None) -> None:
    assert meta_charset(head) == codec


def test_plain_text_has_no_meta_elements() -> None:
    assert decode(b"<meta charset=koi8-r> \xe1", None, is_html=False).encoding != "koi8-r"


@given(
    st.binary(max_size=500),
    st.sampled_from([None, "utf-8", "utf-16", "gbk", "big5", "iso-2022-jp", "latin1", "x", "euc-kr"]),
)
def test_any_bytes_give_utf_8(payload: bytes, charset: str | None) -> None:
    decoded = decode(payload, charset)
    assert decoded.text.encode("utf-8").decode("utf-8") == decoded.text
    assert decoded.replacement_characters == decoded.text.count("\ufffd")


@given(st.text(st.characters(codec="utf-8")))
@example("\ufffd")
def test_utf_8_comes_back(text: str) -> None:
    assert decode(text.encode(), "utf-8").text == text.removeprefix("\ufeff").removeprefix("\ufeff")


def test_html5lib(shared_data: Path) -> None:
    right = total = 0
    for path in sorted((shared_data / "hostile").glob("html5lib-encoding-test*.dat")):
        for block in (b"\n" + path.read_bytes()).split(b"\n#data\n")[1:]:
            page, _, rest = block.partition(b"\n#encoding\n")
            expected = codec_of(rest.split(b"\n")[0].decode())
            assert expected is not None
            total += 1
            if b"Yahoo! JAPAN" in page:
                # UTF-8 under the label EUC-JP: the standard believes the label, and this package does not.
                assert meta_charset(page) == expected
                assert "日本最大級のポータルサイト" in decode(page).text
                continue
            right += decode(page).encoding == codecs.lookup(expected).name
    assert (right, total) == (81, 82)


def test_chardet_folders(shared_data: Path) -> None:
    """Pages of named encodings, decoded without any declaration by transport."""
    languages = (
        "arabic bulgarian croatian cyrillic czech greek hebrew hungarian polish romanian russian slovak slovene thai "
        "turkish ukrainian"
    )
    right = total = 0
    with zipfile.ZipFile(shared_data / "hostile" / "chardet-encodings.zip") as archive:
        for name in archive.namelist():
            if name.endswith("/"):
                continue
            payload = archive.read(name)
            folder = re.sub(f"-({languages.replace(' ', '|')})$", "", name.split("/")[-2])
            decoded = decode(payload)
            assert decoded.text.encode("utf-8").decode("utf-8") == decoded.text
            encoding = codec_of(folder) or folder
            try:
                truth = payload.decode(encoding, "replace").removeprefix("\ufeff")
            except LookupError:
                truth = ""
            total += 1
            right += decoded.text == truth
    assert total == 114
    assert right == 105


_PIECES = [
    b"<meta charset=utf-8>", b"<meta charset='gbk'>", b"<!-- charset=shift_jis -->", b"<meta charset=utf-16>",
    b'<meta http-equiv=content-type content="text/html; charset=koi8-r">', b"<p charset = big5>", b"plain ", b"~{",
    "grüße ".encode(), "中文字".encode(), "中文字".encode("gbk"), "\ufffd".encode(), b"\xff", b"\0", b"\x1b$B",
    b"\xef\xbb\xbf",
]  # fmt: skip


@given(
    st.lists(st.sampled_from(_PIECES), max_size=8).map(b"".join),
    st.sampled_from([None, "utf-8", "gbk", "latin1", "utf-16", "bogus", "iso-2022-jp"]),
    st.booleans(),
)
def test_the_short_way_gives_the_same(payload: bytes, charset: str | None, is_html: bool) -> None:
    decoded = decode(payload, charset, is_html)
    assert decode_to_utf8(payload, charset, is_html) == (
        decoded.text.encode(),
        decoded.replacement_characters,
    )
