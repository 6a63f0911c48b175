"""Taking secrets out of addresses before they are logged, recorded or shown."""

from __future__ import annotations

import re

HIDDEN = "***"

_USER = re.compile(r"(?<=://)[^/\s@'\"]*@")
"""User and password of an address. A user's name alone is no secret, but it is no part of where data lie either."""

_PARAMETER = re.compile(
    r"(?P<name>[?&;]("
    r"x-amz-[a-z-]*|x-goog-[a-z-]*|awsaccesskeyid|googleaccessid|signature|sig|key-pair-id|policy"
    r"|[a-z_-]*token|[a-z_-]*secret|[a-z_-]*password|[a-z_-]*passwd|pwd|[a-z_-]*key|credential|sas"
    r")=)[^&;\s'\"<>#]*",
    re.IGNORECASE,
)
"""Query parameters that sign a request or let somebody in: of AWS (Signature Version 2 and 4), of Google (V2 and
V4 signed URLs), of Azure (shared access signatures, `sig`), and names that speak for themselves."""


def redacted(text: str) -> str:
    """Replace passwords and signatures in all addresses of a text by ``***``; everything else stays."""
    if "://" not in text:
        return text
    return _PARAMETER.sub(rf"\g<name>{HIDDEN}", _USER.sub(f"{HIDDEN}@", text))
