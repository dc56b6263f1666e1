"""Files are written whole or not at all, whatever goes wrong; JSON without NaN."""

import json
import math
import os
import stat
import subprocess
import sys

import pytest

from pwlact.checks import InputError
from pwlact.files import read_object, to_json, write_atomically, write_text

OLD, NEW = b"old content", b"new"

# a limit on the file size stands for a full disk: with SIGXFSZ ignored, write fails with an OSError
FULL_DISK = """
import resource, signal, sys
from pathlib import Path
from pwlact.files import write_atomically
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (4096, 4096))
try:
    write_atomically(Path(sys.argv[1]), lambda file: file.write(b"x" * 100_000))
except OSError as error:
    print("refused", error.errno)
"""
KILLED = """
import os, signal, sys
from pathlib import Path
from pwlact.files import write_atomically
def write(file):
    file.write(b"half of the new con")
    file.flush()
    os.kill(os.getpid(), signal.SIGKILL)
write_atomically(Path(sys.argv[1]), write)
"""


@pytest.fixture(params=["fresh", "existing"])
def target(request, tmp_path):
    """A path to write to: not there yet, or with old content; the folder holds nothing else."""
    path = tmp_path / "results.json"
    if request.param == "existing":
        path.write_bytes(OLD)
    return path


def assert_untouched(path, was_there):
    """The old content, or still no file; and nothing beside it."""
    assert [item.name for item in path.parent.iterdir()] == ([path.name] if was_there else [])
    assert not was_there or path.read_bytes() == OLD


def assert_holds(path, content):
    assert path.read_bytes() == content
    assert [item.name for item in path.parent.iterdir()] == [path.name]


def run(script, path):
    return subprocess.run([sys.executable, "-c", script, str(path)], capture_output=True, text=True, check=False)


def test_content_is_replaced_whole(target):
    write_atomically(target, lambda file: file.write(NEW))
    assert_holds(target, NEW)


def test_empty_content(target):
    write_atomically(target, lambda file: None)
    assert_holds(target, b"")


def test_text_is_utf8(target):
    write_text(target, "β = 2.5\n")
    assert_holds(target, "β = 2.5\n".encode())


def test_the_old_content_is_readable_until_the_new_is_complete(tmp_path):
    path = tmp_path / "results.json"
    path.write_bytes(OLD)

    def write(file):
        file.write(NEW)
        file.flush()
        assert path.read_bytes() == OLD

    write_atomically(path, write)
    assert_holds(path, NEW)


@pytest.mark.parametrize("error", [RuntimeError, KeyboardInterrupt, OSError], ids=lambda e: e.__name__)
def test_an_exception_changes_nothing(target, error):
    was_there = target.exists()

    def write(file):
        file.write(NEW)
        raise error

    with pytest.raises(error):
        write_atomically(target, write)
    assert_untouched(target, was_there)


def test_a_full_disk_changes_nothing(target):
    was_there = target.exists()
    done = run(FULL_DISK, target)
    assert done.stdout.startswith("refused"), done.stderr
    assert_untouched(target, was_there)


def test_a_kill_leaves_the_old_content(tmp_path):
    path = tmp_path / "results.json"
    path.write_bytes(OLD)
    assert run(KILLED, path).returncode == -9
    assert path.read_bytes() == OLD


def test_a_missing_folder_is_an_os_error(tmp_path):
    with pytest.raises(OSError, match="nowhere"):
        write_atomically(tmp_path / "nowhere" / "results.json", lambda file: file.write(NEW))


def test_a_folder_in_the_place_of_the_file_is_an_os_error(tmp_path):
    path = tmp_path / "results.json"
    path.mkdir()
    with pytest.raises(OSError, match="irectory"):
        write_atomically(path, lambda file: file.write(NEW))
    assert list(path.parent.iterdir()) == [path]


@pytest.mark.parametrize(("mask", "mode"), [(0o022, 0o644), (0o077, 0o600), (0o002, 0o664)], ids=oct)
def test_results_are_as_readable_as_other_files(tmp_path, mask, mode):
    before = os.umask(mask)
    try:
        write_text(tmp_path / "results.json", "x")
        assert os.umask(mask) == mask  # and the mask is left as it was
    finally:
        os.umask(before)
    assert stat.S_IMODE((tmp_path / "results.json").stat().st_mode) == mode


def test_json_without_nan():
    value = {
        "r2": math.nan,
        "list": [1, math.inf, {"deep": (-math.inf, 2.5)}],
        "name": "NaN",
        "flag": True,
        "no": None,
    }
    expected = {"r2": None, "list": [1, None, {"deep": [None, 2.5]}], "name": "NaN", "flag": True, "no": None}
    assert json.loads(to_json(value), parse_constant=pytest.fail) == expected


def test_json_leaves_its_input_alone_and_indents():
    value = {"a": [math.nan]}
    assert to_json(value, indent=1) == '{\n "a": [\n  null\n ]\n}'
    assert math.isnan(value["a"][0])


def test_json_keeps_every_digit():
    assert json.loads(to_json([0.1 + 0.2, 5e-324, 1e308])) == [0.1 + 0.2, 5e-324, 1e308]


def test_an_object_is_read_back(tmp_path):
    write_text(tmp_path / "a.json", to_json({"x": [1, math.nan]}))
    assert read_object(tmp_path / "a.json") == {"x": [1, None]}


@pytest.mark.parametrize(
    ("content", "what"),
    [(b"", "not JSON"), (b'{"x": ', "not JSON"), (b"\xff\xfe", "not JSON"), (b"[" * 100_000, "not JSON"),
     (b"[1]", "not a JSON object"), (b"null", "not a JSON object")],
)  # fmt: skip
def test_what_is_no_object_is_refused_with_the_way_out(tmp_path, content, what):
    (tmp_path / "a.json").write_bytes(content)
    with pytest.raises(InputError, match=rf"a\.json is damaged: {what}; start over$"):
        read_object(tmp_path / "a.json", "start over")
    with pytest.raises(InputError, match=f"{what}$"):
        read_object(tmp_path / "a.json")


def test_what_cannot_be_read_says_why(tmp_path):
    with pytest.raises(InputError, match="cannot be read: No such file"):
        read_object(tmp_path / "none.json")
    with pytest.raises(InputError, match="cannot be read: Is a directory"):
        read_object(tmp_path)
