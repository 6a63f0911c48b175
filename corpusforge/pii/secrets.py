"""Secrets in code and configuration: tokens by their published forms, private keys, assigned values by entropy.

Forms of tokens are those that their issuers document; gitleaks, detect-secrets and BigCode's pii-lib look for the
same families. Values that are assigned to a name like ``api_key`` have no form: they must look random.
"""

from __future__ import annotations

import re

from corpusforge.pii.checks import entropy
from corpusforge.pii.numbers import Report

_TOKEN = re.compile(
    r"(?<![A-Za-z0-9_-])(?:"
    r"(?:AKIA|ASIA|AGPA|AIDA|AROA)[A-Z2-7]{16}"  # Amazon Web Services
    r"|gh[pousr]_[A-Za-z0-9]{36,251}|github_pat_[A-Za-z0-9_]{60,100}"
    r"|gl(?:pat|dt|rt|cbt|ptt|ft|imt|agent|soat)-[A-Za-z0-9_-]{20,64}"
    r"|xox[abeoprs]-[A-Za-z0-9-]{10,250}|xapp-\d-[A-Za-z0-9-]{20,250}"  # Slack
    r"|AIza[A-Za-z0-9_-]{35}|ya29\.[A-Za-z0-9_-]{20,250}|GOCSPX-[A-Za-z0-9_-]{28}"  # Google
    r"|(?:sk|rk|pk)_(?:live|test)_[A-Za-z0-9]{16,250}|whsec_[A-Za-z0-9+/=]{32,64}"  # Stripe
    r"|sk-(?:ant-|proj-|svcacct-|or-v1-)[A-Za-z0-9_-]{20,250}|sk-[A-Za-z0-9]{40,64}"  # model providers
    r"|hf_[A-Za-z0-9]{30,40}|npm_[A-Za-z0-9]{36}|pypi-[A-Za-z0-9_-]{50,250}"
    r"|SG\.[A-Za-z0-9_-]{16,32}\.[A-Za-z0-9_-]{16,64}|do[opr]_v1_[a-f0-9]{64}|shp(?:at|ca|pa|ss)_[a-fA-F0-9]{32}"
    r"|key-[0-9a-f]{32}|[0-9]{8,10}:AA[A-Za-z0-9_-]{33}"  # Mailgun, Telegram
    r"|eyJ[A-Za-z0-9_-]{8,4096}\.eyJ[A-Za-z0-9_-]{8,4096}\.[A-Za-z0-9_-]{8,2048}"  # JSON web token (RFC 7519)
    r")(?![A-Za-z0-9_-])"
)
_HOOK = re.compile(r"hooks\.slack\.com/services/(T[A-Z0-9]{6,12}/B[A-Z0-9]{6,12}/[A-Za-z0-9]{20,28})")
_ASSIGNED = re.compile(
    r"(?<![A-Za-z])[\w.-]{0,40}?(?:api_?key|apikey|secret_?key|access_?key|auth_?key|private_?key|encryption_?key|"
    r"account_?key|signing_?key|client_?secret|secret|token|password|passwd|pwd|pass|auth|credentials?|credential)"
    r"[\"']?\s{0,4}(?:=>|:=|=|:)\s{0,4}(?:(?:Bearer|Basic)\s)?([\"'`]?)([A-Za-z0-9_+/=.~!@#$%^&*?-]{8,128})\1(?![A-Za-z0-9_(\[])",
    re.I,
)
_PRIVATE = re.compile(
    r"-----BEGIN (?:[A-Z0-9]{1,16} ){0,3}PRIVATE KEY(?: BLOCK)?-----(?:[^-]|-(?!----)){32,16384}"
    r"(?:-----END (?:[A-Z0-9]{1,16} ){0,3}PRIVATE KEY(?: BLOCK)?-----)?"
)
_EXAMPLE = re.compile(
    r"x{4,}|\*{3}|\.{3}|example|sample|changeme|change_me|placeholder|your[-_]?|dummy|redacted|1234567|abcdef|"
    r"password|secret|token|none|null|true|false|undefined|insert|test[-_]?(?:key|token)",
    re.I,
)
_HEXADECIMAL = re.compile(r"[0-9a-fA-F]+")
_CODE = re.compile(r"(?:[A-Za-z_]\w*\.)+[A-Za-z_]\w*|\$\w+|%\w+%|[A-Z][A-Z_]+|(?:[a-z]+[_-])*[a-z]+")

HEXADECIMAL_ENTROPY = 3.0
"""Least bits per character of a random hexadecimal value: truffleHog's limit, of 4 that are possible."""
BASE64_ENTROPY = 3.5
"""The same for values of any characters, of which 6 are possible; short passwords cannot reach more."""


def tokens(text: str) -> list[Report]:
    """Access keys and tokens by the form that their issuer gives them (0.9), not those that documents show."""
    found = []
    for match in _TOKEN.finditer(text):
        value = match.group()
        shown = re.search(r"example|x{8}|0{8}|1234567890", value, re.I)
        if not shown and entropy(value) >= HEXADECIMAL_ENTROPY:
            found.append((match.start(), match.end(), 0.9))
    found += [(match.start(1), match.end(1), 0.9) for match in _HOOK.finditer(text)]
    return found


def is_random(value: str) -> bool:
    """Tell whether a value looks drawn by lot: two kinds of characters, high entropy, no word of examples."""
    if len(value) < 8 or _EXAMPLE.search(value) or _CODE.fullmatch(value):
        return False
    letters, digits = any(map(str.isalpha, value)), any(map(str.isdigit, value))
    if not (letters and digits):
        return False
    if _HEXADECIMAL.fullmatch(value):
        return len(value) >= 16 and entropy(value) >= HEXADECIMAL_ENTROPY
    # A value of n characters has at most log2(n) bits each: 12 different ones in a row reach 3.58.
    return entropy(value) >= BASE64_ENTROPY and len(value) >= 12


def assigned_values(text: str) -> list[Report]:
    """Values that are assigned to a name of a secret and look random (0.7)."""
    return [
        (match.start(2), match.end(2), 0.7) for match in _ASSIGNED.finditer(text) if is_random(match.group(2))
    ]


def private_keys(text: str) -> list[Report]:
    """Blocks of private keys, PEM (RFC 7468) and OpenPGP armour, with their first and last lines (1.0)."""
    return [(match.start(), match.end(), 1.0) for match in _PRIVATE.finditer(text)]


def secrets(text: str) -> list[Report]:
    """Tokens and assigned values."""
    return tokens(text) + assigned_values(text)
