"""Helper processes do not outlive the one that started them."""

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

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


def is_there(pid: int) -> bool:
    try:
        # one that has ended but that nobody has asked for yet is a zombie
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except OSError:
        return False


@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="looks processes up in /proc")
def test_a_helper_ends_when_its_parent_is_killed(tmp_path: Path) -> None:
    (tmp_path / "parent.py").write_text(PARENT)
    parent = subprocess.Popen([sys.executable, "parent.py"], cwd=tmp_path, stdout=subprocess.PIPE, text=True)
    assert parent.stdout is not None
    helper = int(parent.stdout.readline())
    assert is_there(helper)
    parent.kill()
    parent.wait()
    parent.stdout.close()
    end = time.monotonic() + 30
    while is_there(helper) and time.monotonic() < end:
        time.sleep(0.05)
    left = is_there(helper)
    if left:
        os.kill(helper, 9)
    assert not left
