"""Example stacks, rehearsed and then really run here against the same trace: cost and latency side by side.

    .venv/bin/python bench/rehearse_honest.py [--only line,digits] [--times 3] [--seeds 10] [--markdown FILE] [--json]

Each stack is brought up once beforehand and asked a little, so that the product has measured what a start, a run and a
request take here; that, and what the way there and back adds, is all that a rehearsal is told of this machine beside
the trace. It is rehearsed from that data folder, with several seeds, and brought up in a new one, where nothing was
learnt yet either, with the trace's requests sent when they say. The bill of both is the ledger's. How busy the machine
was stands beside: the part of its time that a loop of additions had to wait for a core.

With `--markdown` the table takes the place of the one between two marks in a page. All of it takes about twenty minutes
on a quiet machine; a stack that fails says why, the others go on, and the exit code is 1.
"""

import argparse
import json
import os
import signal
import sys
import time
from datetime import UTC, datetime
from pathlib import Path

from honest_compare import Row, compared
from honest_stacks import STACKS, NotCompared, Stack
from honest_table import BEGIN, END, HEAD, cost_off, lines_of, plain, problems_of
from honest_user import Failed

AIM = 0.1


def row_of(stack: Stack, times: int, seeds: int) -> Row:
    try:
        return compared(stack, times, seeds)
    except (Failed, NotCompared) as e:
        return Row(stack, why_not=str(e))


def page_with(text: str, rows: list[Row], minutes: float) -> str:
    """The page with the rows between its marks."""
    before, _, rest = text.partition(BEGIN)
    _, mark, after = rest.partition(END)
    if not mark:
        sys.exit(f"the page has no place for it: {BEGIN} ... {END}")
    waited = [real.waited for row in rows for real in row.reals]
    busy = f"where a program waited for one {sum(waited) / max(1, len(waited)):.0%} of its time"
    said = f"{datetime.now(UTC):%B %Y}, {os.cpu_count()} cores, {busy}; {minutes:.0f} minutes in all."
    lines = [HEAD, *(line for row in rows for line in lines_of(row))]
    whys = [f"Not compared: {problem}." for row in rows if row.why_not for problem in problems_of(row)]
    return before + "\n".join([BEGIN, "", said, "", *lines, "", *whys, END]) + after


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", default="", help="only these stacks, with commas")
    parser.add_argument(
        "--times", type=int, default=0, help="how often each is really run (2 of line, 1 of the others)"
    )
    parser.add_argument("--seeds", type=int, default=10, help="with how many it is rehearsed")
    parser.add_argument("--markdown", type=Path, help="a page that has a place for the table")
    parser.add_argument("--json", action="store_true", help="a line of JSON for each stack")
    options = parser.parse_args()
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
    # Whoever stops it finds nothing left running: what is up is taken down first.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    chosen = [name for name in options.only.split(",") if name]
    if unknown := set(chosen) - {stack.name for stack in STACKS}:
        parser.error(f"there is no {', '.join(sorted(unknown))}; known: {', '.join(stack.name for stack in STACKS)}")
    rows, began = list[Row](), time.monotonic()
    if not options.json:
        print(HEAD, flush=True)
    for stack in STACKS:
        if not chosen or stack.name in chosen:
            rows.append(row_of(stack, options.times or stack.times, options.seeds))
            print(json.dumps(plain(rows[-1])) if options.json else "\n".join(lines_of(rows[-1])), flush=True)
    minutes = (time.monotonic() - began) / 60
    if options.markdown:
        options.markdown.write_text(page_with(options.markdown.read_text(), rows, minutes))
    problems = [problem for row in rows for problem in problems_of(row)]
    far = [row.stack.name for row in rows if not row.why_not and abs(cost_off(row) or 0.0) > AIM]
    count = sum(not row.why_not for row in rows)
    far_text = ", ".join(far) or "none"
    print(f"{minutes:.1f} minutes, {count} compared. Further off in cost than {AIM:.0%}: {far_text}.", file=sys.stderr)
    for problem in problems:
        print(problem, file=sys.stderr)
    sys.exit(1 if any(row.why_not for row in rows) else 0)


if __name__ == "__main__":
    main()
