"""One name for the many spellings of a URL: normal form, SURT, and a 128-bit key of it.

SURT ("sort-friendly URI reordering transform", Heritrix) turns the host around, so that a site's pages sort
together: ``https://www.example.org/a`` becomes ``org,example)/a``. Which parts are dropped follows what web archives
do for their indexes (pywb, Common Crawl's index), and in addition parameters that only track visitors.
"""

from __future__ import annotations

import hashlib
import ipaddress
import re

_SPLIT = re.compile(
    r"(?:(?P<scheme>[A-Za-z][A-Za-z0-9+.-]*):)?(?://(?P<authority>[^/?#\\]*))?(?P<rest>.*)", re.DOTALL
)
_BARE_HOST = re.compile(r"[^/?#\\\s:@%]+\.[^/?#\\\s:@%]+(?::\d{1,5})?(?=[/?#]|$)")
_STRIPPED = "".join(map(chr, range(0x21)))
_REMOVED = re.compile(r"[\t\n\r]")
_ESCAPE = re.compile(r"%([0-9A-Fa-f]{2})|([^!-~]|[\"<>\\^`{|}%])", re.DOTALL)
_UNRESERVED = frozenset("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~")
_DEFAULT_PORTS = {"http": "80", "https": "443", "ftp": "21"}
_WWW = re.compile(r"www\d{0,3}\.(?=[^.]+\.)")
_PORT = re.compile(r":(\d*)$")
_ORDINARY = re.compile(r"https?://([a-z0-9-][a-z0-9.-]*\.[a-z][a-z0-9-]*)(/[A-Za-z0-9._~!$&'()*+,:=@/-]*)?")
"""Most addresses: nothing in them is escaped, capital or left out, but slashes and dot segments maybe."""
MAXIMUM_LENGTH = 16384
"""Longer URLs are taken as they are: no page has such an address."""

TRACKING = frozenset(
    [
        "gclid",
        "gclsrc",
        "dclid",
        "gbraid",
        "wbraid",
        "gad_source",
        "fbclid",
        "msclkid",
        "yclid",
        "twclid",
        "ttclid",
        "li_fat_id",
        "igshid",
        "igsh",
        "mc_cid",
        "mc_eid",
        "_ga",
        "_gl",
        "_hsenc",
        "_hsmi",
        "__hssc",
        "__hstc",
        "__hsfp",
        "hsctatracking",
        "mkt_tok",
        "oly_anon_id",
        "oly_enc_id",
        "rb_clickid",
        "s_cid",
        "vero_id",
        "vero_conv",
        "wickedid",
        "zanpid",
        "srsltid",
        "ref_src",
        "cmpid",
        "ocid",
        "ncid",
        "jsessionid",
        "phpsessid",
        "aspsessionid",
        "sessionid",
        "cfid",
        "cftoken",
    ]
)
"""Query parameters that name a visitor, a click or a session, never a page."""
_TRACKING_PREFIXES = ("utm_", "pk_", "piwik_", "mtm_", "matomo_", "hsa_")
_SESSION_PATH = re.compile(r";(?:jsessionid|phpsessid|sid)=[^/?;]*", re.IGNORECASE)


def _parts(url: str) -> tuple[str, str, str, str, str]:
    """Split to scheme, host, port, path and query, each in normal form; a URL without host is all path."""
    url = _REMOVED.sub("", url.strip(_STRIPPED))
    if not url.startswith("//") and _BARE_HOST.match(url):
        url = "//" + url
    match = _SPLIT.match(url)
    assert match is not None  # every part of the pattern may be empty
    scheme = (match["scheme"] or "").lower()
    if match["authority"] is None:
        return scheme, "", "", _escape(match["rest"].partition("#")[0]), ""
    authority = match["authority"].rpartition("@")[2]
    port = _PORT.search(authority)
    number = port[1].lstrip("0") if port else ""
    host = _host(authority[: port.start()] if port else authority)
    path, mark, query = match["rest"].partition("#")[0].partition("?")
    path = _path(path.replace("\\", "/"))
    number = "" if number == _DEFAULT_PORTS.get(scheme or "http") else number
    return scheme, host, number, path, _query(query) if mark else ""


def _host(host: str) -> str:
    """Lower-case a host, in ASCII; IPv6 addresses keep their brackets."""
    host = _unescape(host).strip(". ").lower()
    if host.startswith("["):
        try:
            return f"[{ipaddress.IPv6Address(host.strip('[]')).compressed}]"
        except ValueError:
            return _escape(host)
    if not host.isascii() and len(host) <= 253:
        try:
            host = host.encode("idna").decode("ascii")
        except UnicodeError:
            return _escape(host)
    return _escape(host)


def _unescape(text: str) -> str:
    """Undo percent-encoding where it gives UTF-8."""
    if "%" not in text:
        return text
    raw = re.sub(
        rb"%([0-9A-Fa-f]{2})", lambda match: bytes([int(match[1], 16)]), text.encode("utf-8", "surrogatepass")
    )
    try:
        return raw.decode("utf-8")
    except UnicodeDecodeError:
        return text


def _escape(text: str) -> str:
    """Write percent-encoding in one way: upper case, none for unreserved characters (RFC 3986, section 6.2.2)."""

    def one(match: re.Match[str]) -> str:
        if match[1]:
            character = chr(int(match[1], 16))
            return character if character in _UNRESERVED else f"%{match[1].upper()}"
        return "".join(f"%{byte:02X}" for byte in match[2].encode("utf-8", "surrogatepass"))

    return _ESCAPE.sub(one, text)


def _path(path: str) -> str:
    """Resolve dot segments (RFC 3986, section 5.2.4), join slashes, drop session names and the last slash."""
    path = _SESSION_PATH.sub("", _escape(path))
    segments: list[str] = []
    for segment in path.split("/"):
        if segment == "..":
            segments = segments[:-1]
        elif segment not in ("", "."):
            segments.append(segment)
    return "/" + "/".join(segments)


def _query(query: str) -> str:
    """Sort the parameters; leave out empty and tracking ones."""
    kept = []
    for parameter in re.split("[&]", _escape(query)):
        name = parameter.partition("=")[0].lower()
        if parameter and name not in TRACKING and not name.startswith(_TRACKING_PREFIXES):
            kept.append(parameter)
    return "&".join(sorted(kept))


def normalize_url(url: str) -> str:
    """Write a URL in one way, still as a URL: lower-case scheme and host, sorted query, no fragment.

    Scheme and ``www.`` stay (`surt` drops them). Never raises: what is no URL comes back with its characters escaped.
    """
    if len(url) > MAXIMUM_LENGTH:
        return url.encode("utf-8", "replace").decode("utf-8")
    scheme, host, port, path, query = _parts(url)
    prefix = f"{scheme}:" if scheme else ""
    if not host:
        return prefix + path
    return f"{prefix}//{host}{':' + port if port else ''}{path}{'?' + query if query else ''}"


def surt(url: str) -> str:
    """Give the SURT without scheme, ``www.``, user and tracking: ``org,example)/path?a=1``. Never raises."""
    if len(url) > MAXIMUM_LENGTH:
        return url.encode("utf-8", "replace").decode("utf-8")
    ordinary = _ORDINARY.fullmatch(url)
    if ordinary is not None:
        host, path = ordinary[1], ordinary[2] or "/"
        if "www" not in host and "//" not in path and "/." not in path:
            return f"{','.join(reversed(host.split('.')))}){path.removesuffix('/') or '/'}"
    scheme, host, port, path, query = _parts(url)
    if not host:
        return f"{scheme}:{path}" if scheme else path
    host = _WWW.sub("", host, count=1)
    numeric = host.startswith("[") or re.fullmatch(r"\d{1,3}(?:\.\d{1,3}){3}", host) is not None
    turned = host if numeric else ",".join(reversed(host.split(".")))
    return f"{turned}{':' + port if port else ''}){path}{'?' + query if query else ''}"


def url_key(url: str) -> bytes:
    """Give the 16-byte BLAKE2b of the SURT: equal for spellings of one address."""
    name = surt(url).encode("utf-8", "replace")
    return hashlib.blake2b(name, digest_size=16, person=b"corpusforge-url").digest()


def host_of(url: str) -> str:
    """Give the host in lower case without ``www.`` and port, "" for what has none. Never raises."""
    return _WWW.sub("", _parts(url)[1], count=1) if len(url) <= MAXIMUM_LENGTH else ""
