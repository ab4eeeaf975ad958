"""What does a script run under srun, and what is left of the line without it? Text → text, and what was taken out.

A gang's members run the command themselves, so srun goes, with its options: those written there, and those a variable
of the script holds. An option that stayed would be taken for the command.

Source: srun(1) of Slurm 22.05 to 25.05; Pyxis for the options that begin with `container`.
"""

import re
from dataclasses import dataclass

FLAGS = frozenset("EhHklOQsuvVXZ")
"""Short options that take no value; every other takes one."""
LONG_FLAGS = frozenset((
    "allow-undefined-topology", "contiguous", "disable-status", "exact", "exclusive", "hold", "immediate",
    "interactive", "kill-on-bad-exit", "label", "multi-prog", "no-allocate", "no-kill", "nice", "overcommit", "overlap",
    "oversubscribe", "preserve-env", "propagate", "pty", "quiet", "reboot", "slurmd-debug", "spread-job", "test-only",
    "unbuffered", "use-min-nodes", "verbose", "whole",
    "container-mount-home", "no-container-mount-home", "container-remap-root", "no-container-remap-root",
    "container-writable", "container-readonly", "container-entrypoint", "no-container-entrypoint",
    "container-entrypoint-log",
))  # fmt: skip
"""Long options that take no value, or only one after `=`."""
_SRUN = re.compile(r"(?m)(?P<before>^[ \t]*|[;&|(!][ \t]*|\b(?:exec|time|then|do|else|if|while)[ \t]+)srun(?=\s)")
_COMMENT = re.compile(r"(?m)^[ \t]*#.*")
_GAP = re.compile(r"(?:[ \t]|\\\n)+")
_WORD = re.compile(
    r"""(?:"(?:\\.|[^"\\])*"|'[^']*'|\$\{[^}]*\}|\$\((?:[^()]|\([^()]*\))*\)|\\[^\n]|[^\s\\;&|<>()"'])+"""
)
_VARIABLE = re.compile(r"""["']?\$(?:\{(\w+)(?:\[[@*]\])?\}|(\w+))["']?""")


@dataclass(frozen=True, slots=True)
class Call:
    """One srun of a script: where it stands, in characters, and the options that are gone with it."""

    at: int
    options: tuple[str, ...]


def without_srun(text: str) -> tuple[str, list[Call]]:
    """The script with each srun and its options taken out, and what those were."""
    comments = [match.span() for match in _COMMENT.finditer(text)]
    kept: list[str] = []
    calls: list[Call] = []
    done = 0
    for match in _SRUN.finditer(text):
        if match.start() < done or any(start <= match.end() <= end for start, end in comments):
            continue
        end, options = _options(text, match.end())
        if not _WORD.match(text, end):
            continue  # nothing is run by it: a word of an error message, or a line that goes on elsewhere
        kept += [text[done : match.end("before")]]
        calls.append(Call(match.end("before"), options))
        done = end
    return "".join([*kept, text[done:]]), calls


def _options(text: str, at: int) -> tuple[int, tuple[str, ...]]:
    """The options from `at` on, and where the command after them begins."""
    options: list[str] = []
    while (gap := _GAP.match(text, at)) and (word := _WORD.match(text, gap.end())):
        at = gap.end()
        is_option = word[0].startswith("-") and len(word[0]) > 1
        if not is_option and not _holds_options(word[0], text):
            break
        options.append(word[0])
        at = word.end()
        if is_option and _takes_next(word[0]) and (gap := _GAP.match(text, at)):
            value = _WORD.match(text, gap.end())
            if value:
                options.append(value[0])
                at = value.end()
    return at, tuple(options)


def _takes_next(option: str) -> bool:
    if option.startswith("--"):
        return "=" not in option and option[2:] not in LONG_FLAGS
    return len(option) == 2 and option[1] not in FLAGS


def _holds_options(word: str, text: str) -> bool:
    """Whether it is a variable that the script gives options to, rather than a command."""
    variable = _VARIABLE.fullmatch(word)
    if variable is None:
        return False
    name = variable[1] or variable[2]
    return re.search(rf"(?m)\b{name}\+?=\(?\s*[\"']?\s*-", text) is not None
