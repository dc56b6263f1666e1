"""Running the command line inside the tests' process."""

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from pwlact_cli.main import main


@dataclass
class Outcome:
    """What a command left behind."""

    status: int
    stdout: str
    stderr: str

    @property
    def json(self) -> dict[str, Any]:
        """The one object on standard output."""
        return json.loads(self.stdout)

    @property
    def error(self) -> str:
        """The one line that says what is wrong."""
        lines = [line for line in self.stderr.splitlines() if line]
        assert len(lines) == 1, self.stderr
        assert lines[0].startswith("error: ")
        return lines[0]


Pwlact = Callable[..., Outcome]


@pytest.fixture
def pwlact(capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Pwlact:
    """Run `pwlact ARGUMENTS` in an empty folder, without data."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("PWLACT_DATA", raising=False)

    def run(*arguments: object) -> Outcome:
        with pytest.raises(SystemExit) as stop:
            main([str(argument) for argument in arguments])
        captured = capsys.readouterr()
        assert isinstance(stop.value.code, int)
        return Outcome(stop.value.code, captured.out, captured.err)

    return run
