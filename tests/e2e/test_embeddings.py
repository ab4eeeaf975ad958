"""The example with a real embedding model does what its README says, and OpenAI's own client gets the vectors."""

import math
import re
import shutil
import subprocess
import sys
from pathlib import Path

import openai
from one_user import User, until

EXAMPLE = Path(__file__).parents[2] / "examples" / "embeddings"
WITHIN_S = 180.0
"""The package is 83 MB, and the job writes the graph and its file goes into the bucket and out again."""

PAIRS = [
    ("A man is playing a guitar.", "Someone plays a stringed instrument.", "The bank raised its interest rates."),
    ("How do I reset my password?", "I forgot my login credentials.", "The weather is nice today."),
    ("The cat sleeps on the sofa.", "A kitten is napping on the couch.", "He repairs diesel engines."),
]


def test_the_readme_works_as_it_is_written(user: User) -> None:
    """Sentences alike get vectors alike, through the same address that any client of OpenAI's can use."""
    shutil.copytree(EXAMPLE, user.folder, dirs_exist_ok=True)
    (user.folder / "bin").mkdir()
    for name, program in {"weyr": "-m weyr.cli.main", "python": ""}.items():
        (user.folder / "bin" / name).write_text(f'#!/bin/sh\nexec {sys.executable} {program} "$@"\n')
        (user.folder / "bin" / name).chmod(0o755)
    # The environment of the tests may have been made by uv, which puts no pip into it.
    installer = f"{shutil.which('uv') or sys.executable + ' -m'} pip"
    (user.folder / "bin" / "pip").write_text(f'#!/bin/sh\nexec {installer} "$@"\n')
    (user.folder / "bin" / "pip").chmod(0o755)
    surroundings = user.environment(PATH=f"{user.folder}/bin:/usr/bin:/bin")
    blocks = re.findall(r"```sh\n(.*?)```", (user.folder / "README.md").read_text(), re.DOTALL)
    assert len(blocks) == 3

    said = [_typed(block, user.folder, surroundings) for block in blocks[:2]]
    found = re.findall(r"^ *(-?[\d.]+)  (.*)$", said[1], re.MULTILINE)
    assert [text for _, text in found] == ["I forgot my login credentials", "The weather is nice today"]
    assert float(found[0][0]) > 0.4 > 0.2 > float(found[1][0])

    with openai.OpenAI(base_url=f"{user.url('inference')}/embeddings/minilm/v1", api_key=user.token) as client:
        for one, alike, other in PAIRS:
            given = client.embeddings.create(model="minilm", input=[one, alike, other])
            a, b, c = (item.embedding for item in given.data)
            assert len(a) == 384
            assert math.isclose(_likeness(a, a), 1.0, abs_tol=1e-4)
            assert _likeness(a, b) > _likeness(a, c) + 0.2
            assert given.usage.prompt_tokens > 20
    _typed(blocks[2], user.folder, surroundings)
    until(lambda: user.remains() == [], "nothing to remain")


def _likeness(one: list[float], other: list[float]) -> float:
    return sum(a * b for a, b in zip(one, other, strict=True))


def _typed(command: str, folder: Path, surroundings: dict[str, str]) -> str:
    done = subprocess.run(
        ["/bin/sh", "-ec", command], cwd=folder, env=surroundings, capture_output=True, text=True, timeout=WITHIN_S
    )
    assert done.returncode == 0, f"{command}\n{done.stdout}{done.stderr}"
    return done.stdout
