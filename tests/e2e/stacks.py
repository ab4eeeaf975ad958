"""Stack files for end-to-end tests: small, and up in seconds."""

from pathlib import Path

PUBLISH = Path(__file__).with_name("publish.py")

SMALL = """\
stack: small
buckets:
  lake: {}
jobs:
  hello:
    run: echo hello from $WEYR_JOB
"""


def serving(model: Path, accuracy: float = 0.97, scale: int = 1, more: str = "") -> str:
    """A bucket, a job that adds a version to a model, its gate, and an endpoint that answers with it."""
    return f"""\
stack: whole
buckets:
  lake: {{}}
jobs:
  train:
    run: [python, {PUBLISH}, {model}, "{accuracy}"]
    artifacts: lake
    produces: model/sorter
models:
  sorter:
    promote_if: {{accuracy: ">= 0.9"}}
endpoints:
  sorter:
    model: sorter@production
    scale: {{min: {scale}, max: {scale}}}
{more}"""
