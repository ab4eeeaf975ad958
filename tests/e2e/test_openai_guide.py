"""Every command of the guide about OpenAI-compatible endpoints is typed, in its order, and does what the guide says."""

import re
import shutil
import subprocess
import sys
from pathlib import Path

import openai
import pytest
from one_user import User, until

ROOT = Path(__file__).parents[2]
GUIDE = ROOT / "docs/guides/openai-endpoint.md"


def test_the_guide_works_as_it_is_written(user: User) -> None:
    """A reader who types it has an endpoint, a key that an unmodified client uses, and takes it back."""
    text = GUIDE.read_text()
    commands = re.findall(r"```sh\n(.*?)```", text, re.DOTALL)
    (program,) = re.findall(r"```python\n(.*?)```", text, re.DOTALL)
    shutil.copytree(ROOT / "examples/llm-shaped", user.folder / "examples/llm-shaped")
    (user.folder / "weyr").write_text(f'#!/bin/sh\nexec {sys.executable} -m weyr.cli.main "$@"\n')
    (user.folder / "weyr").chmod(0o755)
    url = ""

    def typed(*words: str) -> str:
        surroundings = user.environment(PATH=f"{user.folder}:{Path(sys.executable).parent}:/usr/bin:/bin", URL=url)
        done = subprocess.run(
            words, cwd=user.folder, env=surroundings, capture_output=True, text=True, check=False, timeout=180
        )
        assert done.returncode == 0, f"{words}\n{done.stdout}{done.stderr}"
        return done.stdout

    up, create, change, renew = commands
    typed("/bin/sh", "-ec", up)
    assert "the support bot" in typed("/bin/sh", "-ec", create)
    url = user.url("inference") + "/shared/chat"
    assert len(typed(sys.executable, "-c", program).split()) >= 10

    first = (user.folder / "key.txt").read_text().strip()
    before = user.pid("inference")
    typed("/bin/sh", "-ec", renew)
    assert user.pid("inference") != before
    client = openai.OpenAI(base_url=f"{url}/v1", api_key=first, max_retries=0)

    def ask_much() -> None:
        for _ in range(9):
            client.chat.completions.create(
                model="llm-shaped", messages=[{"role": "user", "content": "word " * 14_000}], max_tokens=1
            )

    with pytest.raises(openai.RateLimitError, match="20000 tokens per minute"):
        ask_much()
    typed("/bin/sh", "-ec", change)

    def is_refused() -> bool:
        with pytest.raises(openai.APIStatusError) as refused:
            client.models.list()
        return refused.value.status_code == 401

    until(is_refused, "the key to be worth nothing")
    client.close()
    assert "key:revoke" in (user.home / "audit" / "keys.jsonl").read_text()
