"""Programming languages of files: by name, extension, interpreter line, and content where an extension is shared.

Names are those of GitHub's Linguist (https://github.com/github-linguist/linguist), so they compare with the columns of
The Stack. A name or an extension that stands here for no language is data (`DATA_EXTENSIONS`) or unknown.
"""

from __future__ import annotations

import re
from collections.abc import Callable

_EXTENSIONS = {
    "ABAP": "abap",
    "Ada": "adb ads ada",
    "Agda": "agda",
    "ANTLR": "g4",
    "AppleScript": "applescript",
    "AsciiDoc": "adoc asciidoc",
    "Assembly": "asm s nasm",
    "AutoHotkey": "ahk",
    "Awk": "awk",
    "Batchfile": "bat cmd",
    "Bicep": "bicep",
    "Bison": "y yy",
    "Blade": "blade.php",
    "C": "c h",
    "C#": "cs csx",
    "C++": "cpp cc cxx c++ hpp hh hxx h++ ipp tpp inl",
    "Clojure": "clj cljs cljc edn",
    "CMake": "cmake",
    "COBOL": "cob cbl cpy",
    "CoffeeScript": "coffee",
    "Common Lisp": "lisp lsp asd",
    "Crystal": "cr",
    "CSS": "css",
    "Cuda": "cu cuh",
    "Cython": "pyx pxd pxi",
    "D": "d di",
    "Dart": "dart",
    "Dhall": "dhall",
    "Dockerfile": "dockerfile",
    "EJS": "ejs",
    "Elixir": "ex exs",
    "Elm": "elm",
    "Emacs Lisp": "el",
    "Erlang": "erl hrl",
    "F#": "fs fsi fsx",
    "Forth": "fth 4th",
    "Fortran": "f for f77 f90 f95 f03 f08 fpp",
    "GDScript": "gd",
    "Gettext Catalog": "po pot",
    "GLSL": "glsl vert frag geom comp",
    "Go": "go",
    "Gradle": "gradle",
    "GraphQL": "graphql gql",
    "Groovy": "groovy gvy",
    "Haml": "haml",
    "Handlebars": "hbs handlebars",
    "Haskell": "hs lhs",
    "HCL": "tf hcl tfvars",
    "HLSL": "hlsl fx",
    "HTML": "html htm xhtml",
    "HTML+EEX": "eex heex",
    "HTML+ERB": "erb rhtml",
    "Idris": "idr",
    "INI": "ini cfg conf cnf properties",
    "Isabelle": "thy",
    "Java": "java",
    "Java Server Pages": "jsp",
    "JavaScript": "js mjs cjs jsx es6",
    "Jinja": "jinja jinja2 j2",
    "jq": "jq",
    "JSON": "json jsonc json5",
    "Julia": "jl",
    "Jupyter Notebook": "ipynb",
    "Kotlin": "kt kts",
    "Lean": "lean",
    "Less": "less",
    "Lex": "l ll",
    "Liquid": "liquid",
    "LLVM": "ll.txt",
    "Lua": "lua",
    "M4": "m4",
    "Makefile": "mk mak make am",
    "Markdown": "md markdown mdown mkd mdx",
    "MATLAB": "matlab",
    "Meson": "meson",
    "Mustache": "mustache",
    "Nim": "nim nims",
    "Nix": "nix",
    "Objective-C": "m",
    "Objective-C++": "mm",
    "OCaml": "ml mli",
    "OpenCL": "cl",
    "Org": "org",
    "Pascal": "pas pp dpr lpr",
    "Perl": "pl pm perl t",
    "PHP": "php php3 php4 php5 phtml phps",
    "Pod": "pod",
    "PowerShell": "ps1 psm1 psd1",
    "Prolog": "pro prolog",
    "Protocol Buffer": "proto",
    "Pug": "pug jade",
    "Puppet": "pp.erb",
    "PureScript": "purs",
    "Python": "py pyi pyw",
    "QML": "qml",
    "R": "r",
    "RPM Spec": "spec",
    "Racket": "rkt",
    "RDoc": "rdoc",
    "reStructuredText": "rst rest",
    "RMarkdown": "rmd",
    "Roff": "1 3 5 7 8 man roff",
    "Ruby": "rb rake gemspec ru",
    "Rust": "rs",
    "Sass": "sass",
    "Scala": "scala sc sbt",
    "Scheme": "scm ss sld",
    "SCSS": "scss",
    "Shell": "sh bash zsh ksh command fish bats",
    "Smali": "smali",
    "Smalltalk": "st",
    "Solidity": "sol",
    "SPARQL": "sparql rq",
    "SQL": "sql",
    "Stan": "stan",
    "Standard ML": "sml sig",
    "Starlark": "bzl star bazel",
    "Stylus": "styl",
    "Svelte": "svelte",
    "Swift": "swift",
    "SystemVerilog": "sv svh",
    "Tcl": "tcl tk",
    "TeX": "tex sty cls bib ltx",
    "Text": "txt text",
    "Thrift": "thrift",
    "TOML": "toml",
    "Twig": "twig",
    "TypeScript": "ts tsx mts cts",
    "Vala": "vala vapi",
    "Verilog": "v vh",
    "VHDL": "vhd vhdl",
    "Vim Script": "vim",
    "Visual Basic": "vb vbs bas frm",
    "Vue": "vue",
    "WebAssembly": "wat wast",
    "XML": "xml xsd xsl xslt csproj vcxproj props targets plist wsdl",
    "YAML": "yml yaml",
    "Zig": "zig",
}
_BY_EXTENSION = {extension: name for name, line in _EXTENSIONS.items() for extension in line.split()}

_NAMES = {
    "CMake": "cmakelists.txt",
    "Dockerfile": "dockerfile containerfile",
    "Gradle": "gradlew",
    "Groovy": "jenkinsfile",
    "INI": ".editorconfig .gitconfig .npmrc .flake8 .coveragerc .pylintrc",
    "Ignore List": ".gitignore .dockerignore .npmignore .eslintignore .hgignore .ignore",
    "JSON": ".eslintrc .babelrc .prettierrc",
    "Go Module": "go.mod",
    "Just": "justfile",
    "Makefile": "makefile gnumakefile",
    "M4": "configure.ac configure.in",
    "Meson": "meson.build",
    "Ruby": "rakefile gemfile vagrantfile guardfile podfile brewfile",
    "Shell": ".bashrc .bash_profile .profile .zshrc .envrc",
    "Starlark": "build workspace build.bazel workspace.bazel",
    "Text": "readme changelog changes authors contributors news notice todo install contributing history thanks",
    "Vim Script": ".vimrc",
}
_BY_NAME = {name: language for language, line in _NAMES.items() for name in line.split()}

_INTERPRETERS = {
    "python": "Python",
    "bash": "Shell",
    "sh": "Shell",
    "zsh": "Shell",
    "ksh": "Shell",
    "dash": "Shell",
    "fish": "Shell",
    "node": "JavaScript",
    "deno": "TypeScript",
    "ruby": "Ruby",
    "perl": "Perl",
    "php": "PHP",
    "lua": "Lua",
    "rscript": "R",
    "awk": "Awk",
    "gawk": "Awk",
    "tclsh": "Tcl",
    "make": "Makefile",
    "swipl": "Prolog",
    "julia": "Julia",
    "groovy": "Groovy",
}

DATA_EXTENSIONS = frozenset(
    [
        "csv",
        "tsv",
        "psv",
        "svg",
        "geojson",
        "topojson",
        "jsonl",
        "ndjson",
        "map",
        "parquet",
        "avro",
        "arff",
        "libsvm",
        "vtk",
        "obj",
        "stl",
        "ply",
        "off",
        "mtl",
        "gltf",
        "dxf",
        "snap",
        "golden",
        "dat",
        "data",
        "log",
        "out",
        "lst",
        "patch",
        "diff",
        "rej",
        "orig",
        "pem",
        "crt",
        "key",
        "cer",
        "asc",
        "sum",
        "ics",
        "vcf",
        "eps",
        "ps",
        "fasta",
        "fa",
        "fastq",
        "pdb",
        "srt",
        "vtt",
        "sub",
        "nt",
        "ttl",
        "owl",
        "rdf",
        "kml",
        "gpx",
        "hex",
        "uu",
        "bdf",
        "afm",
    ]
)
"""Extensions of text that is data, output or another file's difference rather than source."""

_INTERPRETER = re.compile(r"#!\s*(?:\S*/)?(?:env\s+(?:-\S+\s+|\w+=\S*\s+)*)?([A-Za-z]+)")
_OBJECTIVE_C = re.compile(
    r"^\s*(?:@(?:interface|implementation|protocol|end|import|class)\b|#import\s)", re.MULTILINE
)
_CPP = re.compile(
    r"^\s*(?:template\s*<|namespace\s+\w*|using\s+(?:namespace\s|\w+\s*=)|class\s+\w+[^;]*$"
    r"|(?:public|private|protected)\s*:|#include\s*<(?:c?std\w+|string|vector|map|set|memory|iostream|algorithm|utility|functional)>)|\bstd::",
    re.MULTILINE,
)
_MATLAB = re.compile(r"^\s*(?:%|function\b[^{;]*$|end\s*;?\s*$|classdef\b)", re.MULTILINE)
_MATHEMATICA = re.compile(r"\(\*|:=|BeginPackage\[")
_PROLOG = re.compile(r"^\s*(?::-\s|[a-z]\w*\([^)\n]*\)\s*:-)", re.MULTILINE)
_PERL = re.compile(
    r"^\s*(?:use\s+(?:strict|warnings|[\w:]+)|package\s+[\w:]+;|sub\s+\w+|my\s+[$@%])", re.MULTILINE
)
_COQ = re.compile(r"^\s*(?:Theorem|Lemma|Definition|Proof|Require|Inductive|Qed|Fixpoint)\b", re.MULTILINE)
_HEAD = 16 << 10


def extension_of(path: str) -> str:
    """What stands behind the last point of a file's name, in lower case; "" for none (".gitignore" has none)."""
    name = path.rsplit("/", 1)[-1]
    stem, point, extension = name.rpartition(".")
    return extension.lower() if point and stem else ""


def language_of(path: str, text: str) -> str | None:
    """Name of the language of a file; None for data and for what is not known.

    `text` may be the beginning of the file: no more than 16 KiB are looked at, and only where the name is not enough.
    """
    name = path.rsplit("/", 1)[-1].lower()
    if name in _BY_NAME:
        return _BY_NAME[name]
    extension = extension_of(path)
    if extension in _AMBIGUOUS:
        return _AMBIGUOUS[extension](text[:_HEAD])
    if extension in _BY_EXTENSION:
        return _BY_EXTENSION[extension]
    for beginning in ("dockerfile.", "makefile."):
        if name.startswith(beginning):
            return _BY_NAME[beginning[:-1]]
    if extension and extension != "in":
        return None
    return _by_interpreter(text[:200])


def _by_interpreter(head: str) -> str | None:
    match = _INTERPRETER.match(head)
    return _INTERPRETERS.get(match.group(1).lower()) if match else None


def _header(text: str) -> str:
    """A C header is one of C++ or Objective-C where it says what C cannot."""
    if _OBJECTIVE_C.search(text):
        return "Objective-C"
    return "C++" if _CPP.search(text) else "C"


def _dot_m(text: str) -> str:
    if _OBJECTIVE_C.search(text):
        return "Objective-C"
    if _MATHEMATICA.search(text) and not _MATLAB.search(text):
        return "Mathematica"
    return "MATLAB" if _MATLAB.search(text) else "Objective-C"


def _dot_pl(text: str) -> str:
    if text.startswith("#!") and "perl" in text[:100]:
        return "Perl"
    return "Prolog" if _PROLOG.search(text) and not _PERL.search(text) else "Perl"


def _dot_ts(text: str) -> str:
    """Qt's translations share TypeScript's extension."""
    return "XML" if text.lstrip()[:5] in ("<?xml", "<!DOC", "<TS v") else "TypeScript"


_AMBIGUOUS: dict[str, Callable[[str], str | None]] = {
    "h": _header,
    "m": _dot_m,
    "pl": _dot_pl,
    "ts": _dot_ts,
    "pro": lambda text: "Prolog" if _PROLOG.search(text) else None,
    **dict.fromkeys("13578", lambda text: "Roff" if text[:1] in (".", "'") else None),
    "t": lambda text: "Perl" if _PERL.search(text) else None,
    "v": lambda text: "Coq" if _COQ.search(text) else "Verilog",
    "fs": lambda text: "GLSL" if "void main" in text or "gl_" in text else "F#",
    "pp": lambda text: (
        "Puppet" if re.search(r"^\s*(?:class|define|node)\s[\w:]+", text, re.MULTILINE) else "Pascal"
    ),
    "s": lambda text: "Assembly",
}

LANGUAGES = tuple(
    sorted(
        {*_BY_EXTENSION.values(), *_BY_NAME.values(), *_INTERPRETERS.values(), "Mathematica", "Coq", "Puppet"}
    )
)
"""All names that `language_of` gives."""
