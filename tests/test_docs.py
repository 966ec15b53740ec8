"""What the README says is what the program does: commands, options, columns, exit codes."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pyarrow as pa
import pytest
import typer.main

from hwr_batch.cli.app import app
from hwr_batch.errors import ExitCode, Status
from hwr_batch.results import result_schema
from hwr_batch.zoo import catalog

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")
COMMANDS = typer.main.get_command(app).commands  # type: ignore[attr-defined]


def _code() -> str:
    """Every fenced block of the README."""
    return "\n".join(re.findall(r"```sh\n(.*?)```", README, re.DOTALL))


def options_of(name: str) -> set[str]:
    return {option for parameter in COMMANDS[name].params for option in parameter.opts}


def test_every_command_in_the_readme_exists_and_knows_its_options() -> None:
    told = re.findall(r"^(?:\S*/)?hwr-batch +([a-z]+)([^\n#]*)", _code(), re.MULTILINE)
    assert told
    for name, rest in told:
        assert name in COMMANDS, name
        if name != "models":
            assert set(re.findall(r"--[a-z-]+", rest)) <= options_of(name) | {"--help"}, (name, rest)


def test_every_command_is_in_the_readme() -> None:
    missing = [name for name in COMMANDS if f"hwr-batch {name}" not in re.sub(" +", " ", README)]
    assert missing == []


def test_every_option_named_anywhere_in_the_readme_exists() -> None:
    known = set().union(*(options_of(name) for name in COMMANDS if name != "models"))
    of_other_tools = {"--head", "--working-dir", "--help"}
    named = set(re.findall(r"(?<![\w-])--[a-z][a-z-]+", README))
    assert named - known - of_other_tools == set()


def test_every_result_column_and_status_is_in_the_readme() -> None:
    columns = result_schema(pa.schema([]), calibrated=True).names
    assert [name for name in columns if f"`{name}`" not in README] == []
    assert [status for status in Status if f"`{status}`" not in README] == []


def test_every_exit_code_is_in_the_readme() -> None:
    table = README[README.index("| exit code |") :].split("\n\n")[0]
    told = {
        int(code) for cell in re.findall(r"^\| ([\d, ]+) \|", table, re.MULTILINE) for code in cell.split(",")
    }
    assert told == {int(code) for code in ExitCode}


def test_every_model_is_in_the_readme() -> None:
    assert [name for name in catalog.names() if f"`{name}`" not in README] == []


@pytest.mark.parametrize("name", sorted(COMMANDS))
def test_help_of_every_command_works(name: str) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "hwr_batch", name, "--help"], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr


def test_wrong_usage_is_exit_2() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "hwr_batch", "recognize", "m.csv", "out", "--actors", "many"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 2
    assert "--actors is a number or auto" in done.stderr


@pytest.mark.parametrize(
    ("arguments", "code", "sentence"),
    [
        (["missing.csv", "out"], 4, "no such file"),
        (["manifest.csv", "out", "--model", "no-such-model"], 5, "no card.toml there"),
        (["manifest.csv", "out", "--max-error-rate", "7"], 2, "--max-error-rate is a share"),
        (["manifest.xyz", "out"], 4, "is no manifest by its name"),
    ],
)
def test_an_error_is_one_sentence_and_its_exit_code(
    arguments: list[str], code: int, sentence: str, tmp_path: Path
) -> None:
    (tmp_path / "manifest.csv").write_text("image\na.png\n")
    (tmp_path / "manifest.xyz").write_text("image\na.png\n")
    done = subprocess.run(
        [sys.executable, "-m", "hwr_batch", "recognize", *arguments, "--actors", "0"],
        capture_output=True,
        text=True,
        check=False,
        cwd=tmp_path,
    )
    assert done.returncode == code, done.stderr
    assert sentence in done.stderr.splitlines()[-1]
    assert "Traceback" not in done.stderr
