from __future__ import annotations

import pytest

from corpusforge.pii.secrets import is_random, private_keys, secrets

# Put together here, so that no scanner takes this file for one that leaks: none of them was ever valid.
BODY = "a1B2c3D4e5F6g7H8i9J0k1L2m3N4o5P6q7R8"
TOKENS = [
    "AKIA" + "QYLPMN5HHHFPZAM2",
    "ghp_" + BODY,
    "github_pat_" + BODY + BODY,
    "glpat-" + BODY[:20],
    "xoxb-" + "1234567-" + BODY[:24],
    "AIza" + BODY[:35],
    "sk_live_" + BODY[:24],
    "sk-ant-" + BODY,
    "hf_" + BODY[:34],
    "npm_" + BODY,
    "SG." + BODY[:22] + "." + BODY,
    "eyJhbGciOiJIUzI1NiJ9." + "eyJ" + BODY + "." + BODY,
]


@pytest.mark.parametrize("token", TOKENS)
def test_tokens_are_found_anywhere(token: str) -> None:
    for text in (token, f'key = "{token}"', f"curl -H 'X: {token}' x", f"é({token})"):
        assert token in {text[start:end] for start, end, _ in secrets(text)}


@pytest.mark.parametrize(
    ("text", "value"),
    [
        (
            "aws_secret_access_key = wJalrXUtnFEMI/K7MDENG/bPxRfiCYz8Yh2Q4tVx",
            "wJalrXUtnFEMI/K7MDENG/bPxRfiCYz8Yh2Q4tVx",
        ),
        ("API_KEY: '0f3b9a7c5d1e8f2460b8d7c6a5e4f312'", "0f3b9a7c5d1e8f2460b8d7c6a5e4f312"),
        ('"clientSecret": "h7Kp2Vq9Lm4Xz8Rt6Wc1"', "h7Kp2Vq9Lm4Xz8Rt6Wc1"),
        ("Root Password   :  FS7CUxsY3xkusv7EkbT9yae", "FS7CUxsY3xkusv7EkbT9yae"),
        ("Authorization: Bearer q8Zr2LmX0vT5yB7nK3cD", None),
    ],
)
def test_random_values_of_secret_names(text: str, value: str | None) -> None:
    assert [text[start:end] for start, end, _ in secrets(text)] == ([value] if value else [])


@pytest.mark.parametrize(
    "text",
    [
        "password = 'hunter2'",
        "token = os.environ['TOKEN_NAME_1']",
        "secret = get_secret(name1)",
        "api_key = YOUR_API_KEY_GOES_HERE_1",
        "password: ${DB_PASSWORD_2}",
        "AKIAIOSFODNN7EXAMPLE",
        "key = value",
        "sort key: last_name_then_first_name_2",
        "the secret: never tell",
        "id = 0f3b9a7c5d1e8f2460b8d7c6a5e4f312",
        "checksum 0f3b9a7c5d1e8f2460b8d7c6a5e4f312",
    ],
)
def test_what_is_no_secret(text: str) -> None:
    assert secrets(text) == []


def test_what_looks_random() -> None:
    assert is_random("q8Zr2LmX0vT5yB7nK3cD")
    assert not is_random("")
    assert not is_random("aaaaaaaaaaaaaaaa1")
    assert not is_random("1" * 40)


def test_private_keys() -> None:
    body = "\n".join(["MIIEvQIBADANBgkqhkiG9w0BAQEFAASC"] * 4)
    block = f"-----BEGIN PRIVATE KEY-----\n{body}\n-----END PRIVATE KEY-----"
    text = f"before\n{block}\nafter"
    assert [text[start:end] for start, end, _ in private_keys(text)] == [block]
    assert private_keys(text.replace("PRIVATE", "PUBLIC")) == []
    cut = "-----BEGIN OPENSSH PRIVATE KEY-----\n" + body
    assert [cut[start:end] for start, end, _ in private_keys(cut)] == [cut]
    assert private_keys("-----BEGIN PRIVATE KEY-----\n...\n-----END PRIVATE KEY-----") == []
