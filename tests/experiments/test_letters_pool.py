"""Helper processes do not outlive the one that started them."""

import os
import signal
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

# a file of its own: what is spawned imports it anew
PARENT = """
import multiprocessing, time
from pwlact.experiments.letters.pool import end_with_parent

def helper(ready):
    end_with_parent()
    ready.set()
    time.sleep(600)

if __name__ == "__main__":
    context = multiprocessing.get_context("spawn")
    ready = context.Event()
    process = context.Process(target=helper, args=(ready,))
    process.start()
    ready.wait()
    print(process.pid, flush=True)
    time.sleep(600)
"""


def test_a_helper_ends_when_its_parent_is_killed(tmp_path: Path) -> None:
    (tmp_path / "parent.py").write_text(PARENT)
    command = [sys.executable, "parent.py"]
    parent = subprocess.Popen(command, cwd=tmp_path, stdout=subprocess.PIPE, text=True, start_new_session=True)
    assert parent.stdout is not None
    try:
        helper = int(parent.stdout.readline())
        os.kill(helper, 0)
        parent.kill()
        # both hold the pipe: it ends when neither is there
        assert parent.communicate(timeout=30) == ("", None)
    finally:
        with suppress(ProcessLookupError):
            os.killpg(parent.pid, signal.SIGKILL)
