"""The W&B tracker: its offline file holds what the run told; nothing leaves the machine, nobody is asked."""

import json
import os
import socket
import socketserver
import threading
from pathlib import Path

import numpy as np
import pytest
import wandb
from asserts import assert_refused
from PIL import Image
from tracked_run import EDGES, KNOTS, STEPS, drive, loss_at, record, snapshot
from wandb.proto import wandb_internal_pb2

from pwlact.training.tracking import WandbTracker
from pwlact.training.tracking.logbook import EPOCH_NUMBERS, STEP_LOSS, TrackerFailed, TrackerStopped
from pwlact.training.tracking.picture import curve_picture

CONFIG = {"arch": "resnet10", "act_lr": None, "data": {"classes": ["cat", "<b>'dog'</b>"]}, "note": '"x"'}


class Doorman(socketserver.ThreadingTCPServer):
    """Takes the place of every proxy and of W&B's server, and counts who calls."""

    daemon_threads = True

    def __init__(self):
        self.calls = []
        super().__init__(("127.0.0.1", 0), None)

    def finish_request(self, request, client_address):
        self.calls.append(request.recv(200))

    @property
    def url(self):
        return f"http://127.0.0.1:{self.server_address[1]}"


@pytest.fixture(scope="module")
def doorman():
    """No credentials, a home of our own, and all ways out lead to one door, also for wandb's own process."""
    with pytest.MonkeyPatch.context() as patch, Doorman() as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        for name in [name for name in os.environ if name.startswith("WANDB_")]:
            patch.delenv(name)
        for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"):
            patch.setenv(name, server.url)
            patch.setenv(name.lower(), server.url)
        for name in ("NO_PROXY", "no_proxy"):
            patch.delenv(name, raising=False)
        wandb.teardown()
        yield server
        wandb.teardown()
        server.shutdown()


@pytest.fixture
def alone(doorman, tmp_path_factory, monkeypatch):
    """Each test: nobody is logged in, a question is an error, and so is a connection beyond this machine."""
    home = tmp_path_factory.mktemp("home")
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.setenv("NETRC", str(home / "netrc"))
    monkeypatch.chdir(home)
    wandb.teardown()
    connect = socket.socket.connect

    def local_only(self, address):
        if self.family != socket.AF_UNIX:
            assert address[0] in {"127.0.0.1", "::1", "localhost"}, f"a connection to {address}"
        return connect(self, address)

    def asked(*_):
        raise AssertionError("somebody was asked")

    monkeypatch.setattr(socket.socket, "connect", local_only)
    monkeypatch.setattr("builtins.input", asked)
    doorman.calls.clear()
    return doorman


def parts(folder):
    """Offline files of a run folder, in the order they were written, once wandb's own process has ended."""
    wandb.teardown()
    return sorted((folder / "wandb").glob("offline-run-*/*.wandb"), key=lambda file: file.stat().st_mtime_ns)


def records(file):
    """Records of an offline file: LevelDB's log format, blocks of 32 KiB with pieces of records in them."""
    data, place, piece = file.read_bytes(), 7, b""
    assert data[:4] == b":W&B"
    while place + 7 <= len(data):
        left = 32768 - place % 32768
        if left < 7:
            place += left
            continue
        length, kind = int.from_bytes(data[place + 4 : place + 6], "little"), data[place + 6]
        piece += data[place + 7 : place + 7 + length]
        place += 7 + length
        if kind in (1, 4):  # whole, or the last piece
            found = wandb_internal_pb2.Record()
            found.ParseFromString(piece)
            yield found
            piece = b""


def history(file):
    """Rows that were logged: step -> {name: value}."""
    rows = {}
    for found in records(file):
        if found.WhichOneof("record_type") == "history":
            row = {}
            for item in found.history.item:
                *path, last = item.nested_key or [item.key]
                inner = row
                for name in path:
                    inner = inner.setdefault(name, {})
                inner[last] = json.loads(item.value_json)
            assert row["_step"] not in rows
            rows[row["_step"]] = row
    return rows


def check_rows(folder, rows, first, epochs):
    """The rows hold the epochs from `first` on, each once."""
    by_epoch = {row["epoch"]: row for row in rows.values() if "epoch" in row}
    assert list(by_epoch) == list(range(first, epochs + 1))
    for epoch, row in by_epoch.items():
        assert row["_step"] == epoch * STEPS
        if epoch:
            for name, key in EPOCH_NUMBERS.items():
                assert row[name] == record(epoch)[key]
        seen = snapshot(epoch)
        for k, name in enumerate(("cat", "_b__dog___b_")):
            value = row[f"inputs_layer0/{k}_{name}"]
            assert value["_type"] == "histogram"
            assert value["values"] == seen.counts["layer0"][k].tolist()
            np.testing.assert_allclose(value["bins"], EDGES)
        picture = row["activations/layer0"]
        assert picture["_type"] == "image-file"
        files = list((folder / "wandb").glob(f"offline-run-*/files/{picture['path']}"))
        assert files
        for file in files:
            with Image.open(file) as image:
                np.testing.assert_array_equal(np.asarray(image), curve_picture(KNOTS, seen.values["layer0"]))


def step_losses(rows):
    return {row["step"]: row[STEP_LOSS] for row in rows.values() if STEP_LOSS in row}


def only(file, kind):
    return [getattr(found, kind) for found in records(file) if found.WhichOneof("record_type") == kind]


def test_every_number_is_there_and_nothing_leaves(alone, tmp_path, capfd, monkeypatch):
    monkeypatch.setattr("sys.stdin.isatty", lambda: True, raising=False)
    drive(WandbTracker(tmp_path, CONFIG, 'a <name> "x"'), 0, 4)
    (file,) = parts(tmp_path)
    rows = history(file)
    check_rows(tmp_path, rows, 0, 4)
    assert step_losses(rows) == {step: loss_at(step) for step in (50, 100)}
    run = only(file, "run")[0]
    assert (run.display_name, run.project) == ('a <name> "x"', "pwlact")
    config = {item.key: json.loads(item.value_json) for item in run.config.update}
    assert {key: config[key] for key in CONFIG} == CONFIG
    assert [found.exit_code for found in only(file, "exit")] == [0]
    axes = {found.name or found.glob_name: found.step_metric for found in only(file, "metric")}
    assert axes["loss/val"] == axes["inputs_*"] == axes["activations/*"] == "epoch"
    assert axes[STEP_LOSS] == "step"
    out, err = capfd.readouterr()
    assert (out, err) == ("", "")
    assert alone.calls == []
    assert os.environ["WANDB_ERROR_REPORTING"] == "false"  # wandb's own process starts without crash reports


@pytest.mark.parametrize(("stop_after", "stored", "caught_up"), [(1, 0, 0), (70, 2, 3), (60, 2, 2)])
def test_a_resumed_run_has_the_same_id_and_no_gap(alone, tmp_path, stop_after, stored, caught_up):
    drive(WandbTracker(tmp_path, CONFIG, "x"), 0, 4, stop_after)
    drive(WandbTracker(tmp_path, CONFIG, "x"), stored, 4)
    first, second = parts(tmp_path)
    assert only(first, "run")[0].run_id == only(second, "run")[0].run_id
    assert [only(file, "exit")[0].exit_code for file in (first, second)] == [1, 0]
    check_rows(tmp_path, history(second), caught_up, 4)
    told = [row["epoch"] for file in (first, second) for row in history(file).values() if "loss/val" in row]
    assert sorted(told) == [1, 2, 3, 4]
    # a step that comes again comes with the same number
    assert step_losses(history(first)) | step_losses(history(second)) == {50: loss_at(50), 100: loss_at(100)}


def test_a_tracker_that_comes_late_knows_all_epochs(alone, tmp_path):
    drive(WandbTracker(tmp_path, CONFIG, "x"), 3, 4)
    (file,) = parts(tmp_path)
    check_rows(tmp_path, history(file), 0, 4)


@pytest.mark.parametrize(
    "damage", ["", "{}", "[]", '{"id": "../../x", "told": 1}', '{"id": 3, "told": 1}', '{"id": "aaaaaaaaaaaaaaaa"}',
               '{"id": "aaaaaaaaaaaaaaaa", "told": -1}', '{"id": "aaaaaaaaaaaaaaaa", "told": "1"}', "\0"]
)  # fmt: skip
def test_a_damaged_state_is_a_new_run(alone, tmp_path, damage):
    (tmp_path / "wandb").mkdir()
    (tmp_path / "wandb" / "run.json").write_text(damage)
    tracker = WandbTracker(tmp_path, CONFIG, "x")
    tracker.begin(0, 1, 3)
    tracker.end()
    state = json.loads((tmp_path / "wandb" / "run.json").read_text())
    assert state["told"] == 0
    assert state["id"] == tracker.run_id != "aaaaaaaaaaaaaaaa"
    (file,) = parts(tmp_path)
    assert file.stem == f"run-{state['id']}"


def test_nothing_is_written_before_the_run_begins(alone, tmp_path):
    WandbTracker(tmp_path / "run", CONFIG, "x").end()
    assert list(tmp_path.iterdir()) == []


def modes_of(monkeypatch, tmp_path):
    """What wandb.init was asked for; it does not run."""
    asked = {}

    def init(**options):
        asked.update(options)
        raise ConnectionError("no route\nto host")

    monkeypatch.setattr(wandb, "init", init)
    return asked


@pytest.mark.parametrize(
    ("environment", "netrc", "settings", "mode"),
    [
        ({}, False, "", "offline"),
        ({"WANDB_API_KEY": "a" * 40}, False, "", "online"),
        ({"WANDB_IDENTITY_TOKEN_FILE": "token"}, False, "", "online"),
        ({}, True, "", "online"),
        ({}, True, "[default]\nmode = offline\n", "offline"),
        ({"WANDB_MODE": "offline", "WANDB_API_KEY": "a" * 40}, True, "", "offline"),
        ({"WANDB_MODE": "disabled"}, False, "", "disabled"),
        ({"WANDB_MODE": "online"}, True, "[default]\nmode = offline\n", "online"),
    ],
)
def test_online_only_with_credentials(alone, tmp_path, monkeypatch, environment, netrc, settings, mode):
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    if netrc:
        Path(os.environ["NETRC"]).write_text("machine api.wandb.ai\n  login user\n  password " + "a" * 40 + "\n")
    if settings:
        (Path.home() / ".config" / "wandb").mkdir(parents=True)
        (Path.home() / ".config" / "wandb" / "settings").write_text(settings)
    asked = modes_of(monkeypatch, tmp_path)
    # a lost network is told in a line, before anything is trained
    with pytest.raises(OSError, match="no route"):
        WandbTracker(tmp_path, CONFIG, "x").begin(0, 1, 3)
    assert asked["mode"] == mode
    assert alone.calls == []


def test_bad_modes(alone, tmp_path, monkeypatch):
    monkeypatch.setenv("WANDB_MODE", "sometimes")
    assert_refused(
        lambda: WandbTracker(tmp_path, {}, "x").begin(0, 1, 3),
        "WANDB_MODE must be one of online, offline, shared, disabled; got 'sometimes'",
    )
    monkeypatch.setenv("WANDB_MODE", "online")
    assert_refused(
        lambda: WandbTracker(tmp_path, {}, "x").begin(0, 1, 3),
        "WANDB_MODE=online needs a login: run `wandb login`, or set WANDB_MODE=offline",
    )
    assert list(tmp_path.iterdir()) == []
    assert alone.calls == []


def test_the_door_is_watched(alone, tmp_path, monkeypatch):
    """With a key the same tracker does knock: the silence above means something."""
    monkeypatch.setenv("WANDB_API_KEY", "a" * 40)
    monkeypatch.setenv("WANDB_BASE_URL", alone.url)
    monkeypatch.setenv("WANDB_INIT_TIMEOUT", "2")
    with pytest.raises(TrackerFailed, match=r"^tracker wandb cannot start: [^\n]*$"):
        WandbTracker(tmp_path, CONFIG, "x").begin(0, 1, 3)
    assert alone.calls


def test_a_failure_within_the_run_is_a_warning(alone, tmp_path):
    tracker = WandbTracker(tmp_path, CONFIG, "x")
    tracker.begin(0, 2, 3)

    def full(*_, **__):
        raise OSError(28, "No space left on device")

    tracker.run.log = full
    with pytest.warns(TrackerStopped, match="^tracker wandb stopped, the run goes on without it: .*No space") as warned:
        drive_on(tracker)
    assert len(warned) == 1
    assert wandb.run is None
    (file,) = parts(tmp_path)
    assert [found.exit_code for found in only(file, "exit")] == [1]


def drive_on(tracker):
    for epoch in (1, 2):
        tracker.layers(epoch, snapshot(epoch))
        tracker.epoch(record(epoch))
    tracker.end()
