"""HTML page templates: a newspaper, a blog and an old table layout, with furniture that is to be dropped."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from html import escape


@dataclass(frozen=True)
class Article:
    """The content of a page: `body` holds headings ("# …"), list items ("- …") and paragraphs, in order."""

    title: str
    body: Sequence[str]
    language: str
    labels: Mapping[str, str]
    related: Sequence[str]
    charset: str = "utf-8"

    def text(self) -> str:
        """The main text as extraction should find it, less the markup of headings and items."""
        return "\n".join([self.title, *(line.removeprefix("# ").removeprefix("- ") for line in self.body)])


def _blocks(body: Sequence[str], heading: str, indent: str) -> str:
    """Headings, paragraphs, and runs of items as one list."""
    parts: list[str] = []
    items: list[str] = []

    def close() -> None:
        if items:
            parts.append(f"{indent}<ul>" + "".join(f"<li>{item}</li>" for item in items) + "</ul>")
            items.clear()

    for line in body:
        if line.startswith("- "):
            items.append(escape(line[2:], quote=False))
            continue
        close()
        if line.startswith("# "):
            parts.append(f"{indent}<{heading}>{escape(line[2:], quote=False)}</{heading}>")
        else:
            parts.append(f"{indent}<p>{escape(line, quote=False)}</p>")
    close()
    return "\n".join(parts)


def _links(labels: Mapping[str, str], separator: str) -> str:
    paths = ("home", "news", "about", "contact", "login", "search")
    return separator.join(f'<a href="/{path}">{escape(labels[path])}</a>' for path in paths)


def newspaper(article: Article) -> str:
    """HTML 5 with semantic elements: header, nav, main, article, aside, footer."""
    labels = article.labels
    title = escape(article.title)
    related = "".join(
        f'<li><a href="/r/{n}">{escape(text)}</a></li>' for n, text in enumerate(article.related)
    )
    return f"""<!DOCTYPE html>
<html lang="{article.language}">
<head>
  <meta charset="{article.charset}">
  <title>{title}</title>
  <meta name="viewport" content="width=device-width, initial-scale=1">
  <style>body {{ margin: 0 auto; max-width: 60em }} nav a {{ padding: 1em }}</style>
  <script>window.dataLayer = window.dataLayer || []; function gtag() {{ dataLayer.push(arguments); }}</script>
</head>
<body>
  <div class="cookie-banner" id="cookie-consent"><span>{escape(labels["cookies"])}</span></div>
  <header><nav class="navigation"><ul><li>{_links(labels, "</li><li>")}</li></ul></nav></header>
  <main>
    <article>
      <h1>{title}</h1>
{_blocks(article.body, "h2", "      ")}
    </article>
    <aside class="sidebar"><h3>{escape(labels["related"])}</h3><ul>{related}</ul></aside>
  </main>
  <footer><p>© 2024. {escape(labels["rights"])} <a href="/legal">{escape(labels["privacy"])}</a></p></footer>
</body>
</html>
"""


def blog(article: Article) -> str:
    """XHTML-like markup of divs with telling class names, share buttons and a comment form."""
    labels = article.labels
    title = escape(article.title)
    related = " ".join(
        f'<a class="tag" href="/t/{n}">{escape(text)}</a>' for n, text in enumerate(article.related)
    )
    return f"""<!DOCTYPE html PUBLIC "-//W3C//DTD XHTML 1.0 Strict//EN"
  "http://www.w3.org/TR/xhtml1/DTD/xhtml1-strict.dtd">
<html xmlns="http://www.w3.org/1999/xhtml" xml:lang="{article.language}" lang="{article.language}">
<head>
<meta http-equiv="Content-Type" content="text/html; charset={article.charset}" />
<title>{title}</title>
<link rel="stylesheet" href="/style.css" type="text/css" />
</head>
<body class="single-post">
<div id="header"><div class="menu">{_links(labels, " | ")}</div></div>
<div id="content">
<div class="post">
<h2 class="entry-title">{title}</h2>
<div class="entry-content">
{_blocks(article.body, "h3", "")}
</div>
<div class="share-buttons"><a href="/share">{escape(labels["share"])}</a></div>
</div>
<div class="comments"><p>{escape(labels["comments"])}</p>
<form action="/c"><textarea rows="4"></textarea></form></div>
</div>
<div id="sidebar" class="widget-area">{related}</div>
<div id="footer">{escape(labels["subscribe"])} {escape(labels["rights"])}</div>
</body>
</html>
"""


def table_layout(article: Article) -> str:
    """Upper-case tags, a layout by tables, unclosed paragraphs: markup of the nineties."""
    labels = article.labels
    title = escape(article.title)
    body = _blocks(article.body, "H3", "").replace("<p>", "<P>").replace("</p>", "")
    return f"""<HTML><HEAD><META HTTP-EQUIV="Content-Type" CONTENT="text/html; charset={article.charset}">
<TITLE>{title}</TITLE></HEAD>
<BODY BGCOLOR="#FFFFFF" TEXT=#000000>
<TABLE BORDER=0 CELLPADDING=4 WIDTH=800><TR><TD VALIGN=top WIDTH=140>
{_links(labels, "<BR>")}
</TD><TD VALIGN=top>
<H1>{title}</H1>
{body}
<HR>
<FONT SIZE=1>{escape(labels["rights"])}</FONT>
</TD></TR></TABLE>
</BODY></HTML>
"""


TEMPLATES: tuple[Callable[[Article], str], ...] = (newspaper, blog, table_layout)
"""The templates, in the order in which a site's number chooses one."""
