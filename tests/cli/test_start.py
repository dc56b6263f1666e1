"""Starting is cheap: no heavy import before it is needed."""

import subprocess
import sys

import pytest

HEAVY = {"torch", "scipy", "matplotlib", "typer", "lmfit", "wandb", "rich"}


def imported_by(statement: str) -> set[str]:
    code = f"import sys; {statement}; print(' '.join(sys.modules))"
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return {name.partition(".")[0] for name in run.stdout.split()}


def test_import_pwlact_imports_nothing_heavy() -> None:
    assert not imported_by("import pwlact") & HEAVY


def test_command_line_starts_without_torch() -> None:
    assert not imported_by("import pwlact_cli.main") & (HEAVY - {"typer", "rich"})


def test_every_public_name_is_there() -> None:
    import pwlact

    for name in pwlact.__all__:
        assert getattr(pwlact, name).__module__.startswith("pwlact."), name
    assert set(pwlact.__all__) <= set(dir(pwlact))
    with pytest.raises(AttributeError, match="no attribute 'nonsense'"):
        _ = pwlact.nonsense
