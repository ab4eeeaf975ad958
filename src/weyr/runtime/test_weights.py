"""A program that is not Weyr's finds a version's files in the machine's cache, or is not started."""

import subprocess
import sys
from pathlib import Path

import pytest


def given(tmp_path: Path, *words: str) -> subprocess.CompletedProcess[str]:
    source, cache = tmp_path / "files", tmp_path / "cache"
    command = [sys.executable, "-I", "-m", "weyr.runtime.weights", "--source", f"file://{source}", *words]
    env = {"WEYR_CACHE": str(cache), "PATH": "/usr/bin:/bin"}
    return subprocess.run(command, env=env, capture_output=True, text=True, check=False)


def test_it_becomes_the_program_with_the_files_at_hand(tmp_path: Path) -> None:
    """An engine that takes one file is told of that file, whatever else the version holds."""
    (tmp_path / "files" / "deep").mkdir(parents=True)
    (tmp_path / "files" / "MLmodel").write_text("flavors: {}")
    (tmp_path / "files" / "deep" / "tiny.gguf").write_bytes(b"GGUF")

    done = given(
        tmp_path, "--suffix", ".gguf", "--", "/bin/sh", "-c", 'cat "$WEYR_MODEL_DIR/MLmodel" "$WEYR_MODEL_FILE"'
    )

    assert (done.returncode, done.stdout, done.stderr) == (0, "flavors: {}GGUF", "")


@pytest.mark.parametrize("names", [(), ("a.gguf", "b.gguf")])
def test_which_file_is_meant_is_never_guessed(tmp_path: Path, names: tuple[str, ...]) -> None:
    """The wrong weights would answer as if nothing were wrong."""
    (tmp_path / "files").mkdir()
    for name in ("MLmodel", *names):
        (tmp_path / "files" / name).write_text("text")

    done = given(tmp_path, "--suffix", ".gguf", "--", "true")

    assert done.returncode == 1
    assert f"{len(names)} files of the version end in .gguf, and one is needed" in done.stderr


def test_a_registered_version_whose_files_changed_is_not_started(tmp_path: Path) -> None:
    """Whoever may write to the bucket must not choose what an engine answers with."""
    (tmp_path / "files").mkdir()
    (tmp_path / "files" / "tiny.gguf").write_bytes(b"GGUF")
    first = given(tmp_path, "--version", "chat/3", "--", "true")
    (tmp_path / "files" / "tiny.gguf").write_bytes(b"other")

    done = given(tmp_path, "--version", "chat/3", "--", "true")

    assert first.returncode == 0
    assert done.returncode == 1
    assert "chat/3" in done.stderr
    assert "tiny.gguf changed since" in done.stderr
