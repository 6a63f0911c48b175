"""What a person sees: plain lines where nobody watches, the reason of a failure, and where everything lies."""

from __future__ import annotations

import io
from types import SimpleNamespace

from rich.console import Console

from corpusforge.live import LiveProgress

STAGE = SimpleNamespace(index=3, name="minhash", tasks=4, id="03-minhash@abc")


def test_lines_for_logs():
    console = Console(file=io.StringIO(), width=120)
    with LiveProgress(console) as progress:
        progress.stage_started(STAGE, 1)
        progress.task_failed(STAGE, 2, 1, "Traceback\n  many lines\nValueError: [bold]odd[/] brackets")
        progress.task_failed(STAGE, 2, 2, "")
        progress.document_killed(STAGE, 2, {"locator": "a@0", "seconds": 60.0})
        progress.task_done(STAGE, 2)
        progress.stage_finished(STAGE)
    lines = console.file.getvalue().splitlines()
    assert lines == [
        "03 minhash task 2, attempt 1: ValueError: [bold]odd[/] brackets",
        "03 minhash task 2, attempt 2: unknown error",
        "03 minhash: gave up a@0 after 60.0 s; running task 2 again",
        "03 minhash: 4 tasks (1 done before)",
    ]


def test_a_terminal_shows_one_bar_for_the_stage_at_work():
    console = Console(file=io.StringIO(), width=120, force_terminal=True)
    with LiveProgress(console) as progress:
        progress.stage_started(STAGE, 0)
        progress.task_done(STAGE, 0)
        progress.stage_started(SimpleNamespace(index=4, name="write", tasks=2), 0)
    assert "04 write" in console.file.getvalue()
