"""What `evaluate` shows people: every figure, and no text that could steer their terminal."""

from __future__ import annotations

import io
from pathlib import Path

from made_results import FolderStore, line, write_output
from rich.console import Console

from hwr_batch.cli.accuracy_shown import printable, show
from hwr_batch.evaluate import EvaluateOptions, evaluate


def shown(tmp_path: Path, rows: list[dict[str, object]], by: str | None = None) -> str:
    output = write_output(tmp_path / "out", rows, per_part=20)
    stream = io.StringIO()
    show(evaluate(output, FolderStore(), EvaluateOptions(by=by)), Console(file=stream, width=200))
    return stream.getvalue()


def test_figures_confusions_and_worst_lines_are_told(tmp_path: Path) -> None:
    rows = [
        line("right", "hello", "hello", hand="Ada"),
        line("wrong", "hallo", "hello", hand="Bo"),
        line("lost", None, "world", hand="Bo"),
        line("unwritten", "x", None, hand="Bo"),
    ]
    told = shown(tmp_path, rows, by="hand")
    assert [word in told for word in ("Ada", "Bo", "0.600", "0.400")] == [True] * 4  # 6 edits of 15
    assert "1 substitutions, 5 deletions, 0 insertions" in told
    assert "1 lines image_missing: all their characters count as missing" in told
    assert "1 lines have no reference text" in told
    assert "e → a 1×" in told
    worst = told[told.index("lines with the most edits") :]
    assert "wrong" in worst
    assert "hallo" in worst
    assert "right" not in worst


def test_intervals_stand_below_their_figures(tmp_path: Path) -> None:
    told = shown(tmp_path, [line(f"l{n}", "ab", "ab" if n % 2 else "ac") for n in range(12)])
    assert "0.750" in told
    assert "–" in told


def test_hostile_texts_are_harmless(tmp_path: Path) -> None:
    told = shown(tmp_path, [line("[red]id", "\x1b]0;owned\x07[bold]", "a\x1b[2Jb")])
    assert "\x1b" not in told
    assert "[red]id" in told
    assert "[bold]" in told


def test_a_lone_space_can_be_seen() -> None:
    assert printable(" ") == "␣"
    assert printable("a b\n") == "a b\N{REPLACEMENT CHARACTER}"
