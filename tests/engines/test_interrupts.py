import os
import signal
import subprocess
import sys
import textwrap
import threading
import time

from corpusforge.engines import interrupts

SCRIPT = """
import multiprocessing
import os
import signal
import sys

from corpusforge.engines import interrupts


def child(connection):
    os.kill(os.getpid(), signal.SIGINT)
    connection.send("alive")


if __name__ == "__main__":
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["interrupted_while_importing"])
    ours, theirs = context.Pipe()
    process = context.Process(target=child, args=(theirs,))
    {start}
    theirs.close()
    try:
        print(ours.recv())
    except EOFError:
        print("dead")
"""


def run(folder, start):
    (folder / "interrupted_while_importing.py").write_text(
        "import os, signal\nos.kill(os.getpid(), signal.SIGINT)\n"
    )
    script = folder / "script.py"
    script.write_text(textwrap.dedent(SCRIPT).replace("{start}", start.replace("\n", "\n    ")))
    return subprocess.run(
        [sys.executable, str(script)], capture_output=True, text=True, timeout=60, check=False
    )


def test_a_process_started_inside_survives_an_interrupt_at_any_moment(tmp_path):
    done = run(tmp_path, "with interrupts.held_back():\n    process.start()")
    assert done.stdout == "alive\n"
    assert done.stderr == ""


def test_without_it_an_early_interrupt_kills_or_is_shown(tmp_path):
    done = run(tmp_path, "process.start()")
    assert "KeyboardInterrupt" in done.stderr


def test_the_driver_hears_of_it_afterwards():
    heard = []
    before = signal.signal(signal.SIGINT, lambda *_: heard.append("now"))
    try:
        with interrupts.held_back():
            signal.raise_signal(signal.SIGINT)
            assert heard == []
        assert heard == ["now"]
    finally:
        signal.signal(signal.SIGINT, before)
    assert signal.SIGINT not in signal.pthread_sigmask(signal.SIG_BLOCK, [])


def test_one_that_another_thread_takes_waits_too():
    heard = []
    before = signal.signal(signal.SIGINT, lambda *_: heard.append("now"))
    ready, over = threading.Event(), threading.Event()

    def stay():
        ready.set()
        over.wait()

    unblocked = threading.Thread(target=stay)
    unblocked.start()
    ready.wait()
    try:
        with interrupts.held_back():
            os.kill(os.getpid(), signal.SIGINT)
            time.sleep(0.1)
            assert heard == []
        assert heard == ["now"]
    finally:
        over.set()
        unblocked.join()
        signal.signal(signal.SIGINT, before)
