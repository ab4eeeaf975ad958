"""How are the waste finder's findings shown, chosen, and made a change of the stack file?"""

import difflib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from weyr.cli.client import Client
from weyr.cli.money import amount
from weyr.cli.screen import folded, put, table
from weyr.cli.stackfile import StackFile, read_stack_file
from weyr.core.diagnostic import Diagnostic, UserError, WeyrError, did_you_mean
from weyr.stack.editing import edited

Finding = Mapping[str, Any]


def show_advice(answer: Mapping[str, Any], stdout: Any) -> None:
    """All of them: what each is worth in a month, then what it is about and what would end it."""
    currency = str(answer.get("currency") or "USD")
    found: Sequence[Finding] = answer.get("savings") or []
    rows = [[each["id"], _price(each, currency), each["confidence"], _deed(each)] for each in found]
    put(table(["finding", "per month", "sure", "change"], rows, frozenset({1})))
    put()
    for each in found:
        put(folded(f"{each['id']}: {each['detail']}{_woken(each)}{_lost(each)}", stdout))
    put()
    put(sum_line(answer))


def sum_line(answer: Mapping[str, Any]) -> str:
    """What they come to together."""
    found: Sequence[Finding] = answer.get("savings") or []
    currency = str(answer.get("currency") or "USD")
    unpriced = int(answer.get("unpriced") or 0)
    total = amount(answer.get("micros_per_month"), currency)
    rest = f", and {unpriced} of unknown price" if unpriced else ""
    return f"{len(found)} finding{'s' * (len(found) != 1)} of waste, about {total} per month{rest}."


def hint(client: Client, stack: str) -> str:
    """One line where there is something to find; "" where there is nothing, or a server that does not know."""
    try:
        answer = client.call("GET", "/v1/advice", stack=stack)
    except WeyrError:
        return ""  # what was asked for is told all the same: this is beside it
    return f"{sum_line(answer)} See them: weyr cost advise" if answer.get("savings") else ""


def may_be_applied(finding: Finding) -> bool:
    """Whether a change of the stack file alone does it, and loses nothing: what is done without being named."""
    return bool(finding["changes"]) and not finding["loses"]


def chosen(answer: Mapping[str, Any], words: Sequence[str]) -> list[Finding]:
    """The findings that are named by their ids, or by an object; all of them where none is named.

    Raises: UserError with every word that names none.
    """
    found: Sequence[Finding] = answer.get("savings") or []
    problems = []
    for word in words:
        if not any(_is_named(each, word) for each in found):
            ids = [str(each["id"]) for each in found]
            detail = f'There is no finding "{word}" now.{did_you_mean(word, ids)}'
            problems.append(Diagnostic("No such finding", detail, suggestion="weyr cost advise"))
    if problems:
        raise UserError(*problems)
    return [each for each in found if not words or any(_is_named(each, word) for word in words)]


def changed_file(file: StackFile, findings: Sequence[Finding]) -> StackFile:
    """The file with every change of these findings in it, as it would be written. Raises: UserError."""
    changes = [(tuple(change["path"]), change["value"]) for each in findings for change in each["changes"]]
    return StackFile(file.path, edited(file.text, str(file.path), changes))


def file_of(client: Any, stack: str) -> StackFile:
    """The file that a stack was brought up from. Raises: UserError."""
    rows = client.call("GET", "/v1/stacks").get("stacks") or []
    row = next(row for row in rows if row["name"] == stack)
    return read_stack_file(Path(str(row["file"])))


def difference(before: StackFile, after: StackFile) -> str:
    """What changes in the file, line by line."""
    lines = difflib.unified_diff(
        before.text.splitlines(), after.text.splitlines(), str(before.path), str(after.path), lineterm="", n=1
    )
    return "\n".join(lines)


def _is_named(finding: Finding, word: str) -> bool:
    return word in (finding["id"], finding["ref"], f"{finding['stack']}:{finding['ref']}")


def _price(finding: Finding, currency: str) -> str:
    micros = finding["micros_per_month"]
    return "unknown" if micros is None else amount(micros, currency)


def _deed(finding: Finding) -> str:
    return "; ".join(str(change["text"]) for change in finding["changes"]) or f"by hand: {finding['by_hand']}"


def _woken(finding: Finding) -> str:
    return f" To have it back: {finding['wake']}." if finding["wake"] else ""


def _lost(finding: Finding) -> str:
    return f" With the change {finding['loses']}: it is done only when it is named." if finding["loses"] else ""
