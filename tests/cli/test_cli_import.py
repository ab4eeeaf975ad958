"""`weyr import` as it is typed."""

import json

from cli_shell import Shell

SCRIPT = "#!/bin/bash\n#SBATCH -J train\n#SBATCH -p gpu\n#SBATCH -t 60\npython train.py\n"


def test_data_goes_to_stdout_and_what_did_not_carry_over_to_stderr(shell: Shell) -> None:
    """So that it can be piped, and read."""
    (shell.folder / "train.sbatch").write_text(SCRIPT)
    said = shell.weyr("import", "train.sbatch")
    assert said.status == 0
    assert said.out.startswith("stack: train\njobs:\n  train:\n")
    assert said.err.startswith("train.sbatch:3 --partition: left out. ")


def test_what_is_written_is_valid_and_never_over_a_file(shell: Shell) -> None:
    """The next command is the one it names."""
    (shell.folder / "train.sbatch").write_text(SCRIPT)
    assert shell.weyr("import", "train.sbatch", "-o", "mine.yaml", "--name", "mine").status == 0
    assert shell.weyr("validate", "mine.yaml").out.startswith("mine: 1 object")
    again = shell.weyr("import", "train.sbatch", "-o", "mine.yaml")
    assert again.status == 1
    assert "There is a file already" in again.err


def test_a_program_gets_all_of_it_as_json(shell: Shell) -> None:
    """Text and notes, each with its line."""
    (shell.folder / "train.sbatch").write_text(SCRIPT)
    found = json.loads(shell.weyr("import", "train.sbatch", "--json").out)
    assert found["format"] == "sbatch script"
    assert found["objects"] == ["job/train"]
    assert [(note["line"], note["field"], note["verdict"]) for note in found["notes"]] == [
        (3, "--partition", "left out")
    ]
