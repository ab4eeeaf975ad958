"""What does the reference of the command line say? Every verb's own help, as one Markdown page.

    python -m weyr.cli.reference > docs/reference/cli.md

A test holds the page and the help together, so the page is also the golden text of every help.
"""

from collections.abc import Iterator
from typing import Any

import typer

from weyr.cli.group import root_command
from weyr.cli.program import VERBS, load

WIDTH = 100
_HEAD = """# The command line

Generated from the help of each verb; do not edit. `python -m weyr.cli.reference > docs/reference/cli.md` makes it anew.

Data goes to stdout, everything else to stderr. `--json` on every read gives the API's own answer. `NO_COLOR` and
`--no-color` turn colours off. `--home` may stand anywhere on the line.

| Exit code | Meaning |
|---|---|
| 0 | Done. |
| 1 | Something failed, or is not there; the message says what. |
| 2 | Wrong usage; for `weyr plan --exit-code`, the plan has changes. |
| 70 | A bug in Weyr; the message says where its story was kept. |
| 130 | Interrupted; what was begun goes on. |
"""


def page() -> str:
    """The whole page as Markdown."""
    root = root_command(VERBS, load)
    context = typer.Context(root, info_name="weyr", terminal_width=WIDTH, max_content_width=WIDTH)
    parts = [_HEAD, _section("weyr", root.get_help(context))]
    for verbs in VERBS.values():
        for name in verbs:
            parts += [_section(title, text) for title, text in _helps(root.get_command(context, name), context, name)]
    return "\n".join(parts)


def _helps(command: Any, parent: Any, name: str) -> Iterator[tuple[str, str]]:
    """The help of a verb and, where it is a group, of each command in it."""
    context = typer.Context(command, parent=parent, info_name=name, terminal_width=WIDTH, max_content_width=WIDTH)
    yield context.command_path, command.get_help(context)
    for inner in command.list_commands(context) if hasattr(command, "list_commands") else ():
        yield from _helps(command.get_command(context, inner), context, inner)


def _section(title: str, text: str) -> str:
    return f"## {title}\n\n```text\n{text.rstrip()}\n```\n"


if __name__ == "__main__":
    print(page(), end="")
