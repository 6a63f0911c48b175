from __future__ import annotations

import pytest

from corpusforge.pii.network import email_addresses, ip_addresses, mac_addresses, url_credentials

pytest.importorskip("tldextract")


def values(found: list[tuple[int, int, float]], text: str) -> list[str]:
    return [text[start:end] for start, end, _ in found]


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("<ann.b+x@mail.example.co.uk>,", ["ann.b+x@mail.example.co.uk"]),
        ("mailto:o'neil@example.com?x", ["o'neil@example.com"]),
        ("übung@beispiel.de.", ["übung@beispiel.de"]),
        ("icon@2x.png a@b @user user@localhost a@b.nosuchsuffix", []),
        ("git@", []),
    ],
)
def test_email(text: str, found: list[str]) -> None:
    assert values(email_addresses(text), text) == found


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("from 8.8.8.8.", ["8.8.8.8"]),
        ("net 192.0.2.0/24,", ["192.0.2.0/24"]),
        ("[2001:db8::1]:443", ["2001:db8::1"]),
        # The longer one of the two stays when findings are resolved.
        ("::ffff:192.0.2.1", ["192.0.2.1", "::ffff:192.0.2.1"]),
        ("6e40:4041:c617:e898:c11:40d2:c669:2eb4", ["6e40:4041:c617:e898:c11:40d2:c669:2eb4"]),
        ("fe80::1%eth0", ["fe80::1%eth0"]),
        ("256.1.1.1 1.2.3 1.2.3.4.5 a1.2.3.4 lib-1.2.3.4-x", []),
        ("1:2:3:4:5:6:7:8:9 12:30:45", []),
    ],
)
def test_ip(text: str, found: list[str]) -> None:
    assert values(ip_addresses(text), text) == found


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("at 00:10:DC:27:6C:15;", ["00:10:DC:27:6C:15"]),
        ("at 00-10-dc-27-6c-15", ["00-10-dc-27-6c-15"]),
        ("at 00:10-dc:27:6c:15", []),
        ("ff:ff:ff:ff:ff:ff 00:00:00:00:00:00 00:11:22:33:44:55", []),
        ("12:f8:7e:78:61:b4:bf:e2:de:24:15:96:4e:d4:72:53", []),
    ],
)
def test_mac(text: str, found: list[str]) -> None:
    assert values(mac_addresses(text), text) == found


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("git clone https://ann:h4rdT0gu3ss@example.com/x", ["ann:h4rdT0gu3ss"]),
        ("postgres://app:Zk81ls@db:5432/x", ["app:Zk81ls"]),
        ("redis://:Zk81ls@[::1]:6379", [":Zk81ls"]),
        (
            "http://user:password@example.com http://u:$PASS@h http://u:${X}@h http://u:***@h ftp://u:xxx@h",
            [],
        ),
        ("http://example.com:80/@x http://ann@example.com", []),
    ],
)
def test_credentials(text: str, found: list[str]) -> None:
    assert values(url_credentials(text), text) == found
