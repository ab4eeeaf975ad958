"""May Weyr go on? A question on a terminal, and a clear refusal where nobody is there to answer."""

import sys

from weyr.core.diagnostic import Diagnostic, UserError


def confirmed(question: str, is_yes: bool, command: str) -> bool:
    """Whether the user agrees. `command` is what to type where there is no terminal.

    Raises: UserError where nobody can be asked and `--yes` was not given.
    """
    if is_yes:
        return True
    if not sys.stdin.isatty():
        raise UserError(
            Diagnostic(
                "Nobody to ask",
                "This changes things, and standard input is no terminal to confirm it on. Nothing was changed.",
                suggestion=f"{command} --yes",
            )
        )
    sys.stderr.write(f"{question} [y/N] ")
    sys.stderr.flush()
    return sys.stdin.readline().strip().lower() in ("y", "yes")
