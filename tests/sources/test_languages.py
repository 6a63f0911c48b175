"""Languages by name, extension, interpreter line and content."""

from __future__ import annotations

import pytest

from corpusforge.sources.languages import LANGUAGES, extension_of, language_of


@pytest.mark.parametrize(
    ("path", "text", "language"),
    [
        ("a/b.py", "", "Python"),
        ("a/B.PY", "", "Python"),
        ("Makefile", "", "Makefile"),
        ("docker/Dockerfile.dev", "", "Dockerfile"),
        ("CMakeLists.txt", "", "CMake"),
        (".gitignore", "", "Ignore List"),
        ("bin/run", "#!/usr/bin/env -S python3 -u\n", "Python"),
        ("bin/run", "#!/bin/sh\n", "Shell"),
        ("bin/run", "hello", None),
        ("x.h", "int f(void);\n", "C"),
        ("x.h", "#include <vector>\n", "C++"),
        ("x.h", "namespace a {\n", "C++"),
        ("x.h", "@interface A : NSObject\n", "Objective-C"),
        ("x.m", "#import <Foundation/Foundation.h>\n", "Objective-C"),
        ("x.m", "% area\nfunction a = area(r)\n", "MATLAB"),
        ("x.m", "(* c *)\nf[x_] := x\n", "Mathematica"),
        ("x.pl", "use strict;\nmy $x = 1;\n", "Perl"),
        ("x.pl", ":- module(a, []).\nparent(x, y) :- true.\n", "Prolog"),
        ("x.ts", "export const a = 1\n", "TypeScript"),
        ("x.ts", '<?xml version="1.0"?>\n<TS version="2.1">', "XML"),
        ("x.v", "Theorem a : True.\nProof.\n", "Coq"),
        ("x.v", "module a;\n", "Verilog"),
        ("rules.pro", "-keep class a\n", None),
        ("tool.1", ".TH TOOL 1\n", "Roff"),
        ("x.csv", "a,b\n", None),
        ("x.unheard", "", None),
    ],
)
def test_languages(path, text, language):
    assert language_of(path, text) == language


def test_the_table():
    assert len(LANGUAGES) >= 120
    assert extension_of("a.b/c.Tar.GZ") == "gz"
    assert extension_of(".profile") == ""
    assert language_of("x.h", "class " * 1_000_000) in ("C", "C++")
