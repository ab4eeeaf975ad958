"""How is Slurm asked? By its own commands, each with a bound: one that gives no answer in time says nothing at all."""

import getpass
import os
import signal
import subprocess
from collections.abc import Callable, Mapping, Sequence
from typing import TypeVar

from weyr.engines.slurm.answers import SACCT_FORMAT, SQUEUE_FORMAT, JobRow, accounts_of, queue_of, submitted_of
from weyr.engines.slurm.site_nodes import SINFO_FORMAT, SiteNode, nodes_of

R = TypeVar("R")
ASK_S = 10.0
SUBMIT_S = 20.0
ARGUMENTS_MAX = 500
"""Jobs named in one call: a command line has a bound, and slurmctld holds its locks for as long as one lasts."""

PASSING = (
    "unable to contact slurm controller",
    "socket timed out",
    "connection refused",
    "connect failure",
    "zero bytes were transmitted",
    "temporarily unable to accept job",
    "resource temporarily unavailable",
    "protocol authentication error",
    "munge",
    "slurm backup controller in standby mode",
    "transport endpoint",
    "communication connection failure",
)
"""What it says where it may well take the same in a while. Anything else is an answer."""
GONE = ("invalid job id", "already completing or completed", "job/step already")


class SlurmSilent(Exception):
    """Slurm gave no answer. Whether it did what it was asked is not known."""


class SlurmRefused(Exception):
    """Slurm's answer is no, and it says why."""


class Slurm:
    """One cluster, as whoever runs this sees it. Takes the environment for its commands: PATH, SLURM_CONF."""

    def __init__(self, env: Mapping[str, str] | None = None) -> None:
        # Of the server's environment, jobs get nothing: it may hold what is no business of theirs.
        kept = {name: value for name, value in os.environ.items() if name in ("PATH", "HOME", "USER", "SLURM_CONF")}
        self._env = kept | {"LANG": "C.UTF-8", "SLURM_TIME_FORMAT": "%s"} | dict(env or {})
        self._user = getpass.getuser()

    def submit(self, script: str) -> str:
        """A new job's number. Raises: SlurmSilent, SlurmRefused."""
        said = self._run(("sbatch", "--parsable"), script, SUBMIT_S)
        try:
            return submitted_of(said)
        except ValueError as e:
            raise SlurmSilent(str(e)) from e

    def queue(self) -> list[JobRow]:
        """Every job of this user's that slurmctld knows, those that ended of late too. Raises: SlurmSilent."""
        words = (
            "squeue",
            "--noheader",
            "--all",
            "--array",
            "--states=all",
            f"--user={self._user}",
            "-O",
            SQUEUE_FORMAT,
        )
        try:
            return self._rows(words, queue_of)
        except SlurmRefused as e:
            raise SlurmSilent(str(e)) from e  # whatever it says, nothing of a job is known from it

    def nodes(self) -> list[SiteNode]:
        """Every node, once for each partition that it is in. Raises: SlurmSilent."""
        try:
            return self._rows(("sinfo", "--Node", "--noheader", "--all", "-O", SINFO_FORMAT), nodes_of)
        except SlurmRefused as e:
            raise SlurmSilent(str(e)) from e

    def accounts(self, jobs: Sequence[str]) -> list[JobRow]:
        """What accounting still knows of these; nothing where there is none. Raises: SlurmSilent."""
        found: list[JobRow] = []
        for some in _in_parts(jobs):
            words = ("sacct", "--allocations", "--noheader", "--parsable2", f"--format={SACCT_FORMAT}")
            try:
                found += self._rows((*words, f"--jobs={','.join(some)}"), accounts_of)
            except SlurmRefused:
                return []  # "Slurm accounting storage is disabled"
        return found

    def cancel(self, jobs: Sequence[str]) -> None:
        """Ends jobs, whether they wait or run; that one is gone already is no error. Raises: SlurmSilent."""
        self._tell(("scancel",), jobs)

    def nudge(self, jobs: Sequence[str]) -> None:
        """Tells every task of these jobs' steps to look into its folder, by the signal that a child's end sends: it
        does nothing to whoever does not wait for it. Raises: SlurmSilent."""
        self._tell(("scancel", f"--signal={int(signal.SIGCHLD)}"), jobs)

    def _tell(self, words: tuple[str, ...], jobs: Sequence[str]) -> None:
        for some in _in_parts(jobs):
            try:
                self._run((*words, *some), "", ASK_S)
            except SlurmRefused as e:
                if not any(word in str(e).lower() for word in GONE):
                    raise SlurmSilent(str(e)) from e

    def _rows(self, words: tuple[str, ...], parse: Callable[[str], list[R]]) -> list[R]:
        said = self._run(words, "", ASK_S)
        try:
            return parse(said)
        except ValueError as e:
            raise SlurmSilent(str(e)) from e

    def _run(self, words: tuple[str, ...], text: str, within_s: float) -> str:
        try:
            done = subprocess.run(
                words, input=text, env=self._env, capture_output=True, text=True, timeout=within_s, check=False, cwd="/"
            )
        except FileNotFoundError as e:
            raise SlurmSilent(f"{words[0]} is not installed on this machine") from e
        except (OSError, UnicodeDecodeError) as e:
            raise SlurmSilent(f"{words[0]} could not be run: {e}") from e
        except subprocess.TimeoutExpired as e:
            raise SlurmSilent(f"{words[0]} gave no answer within {within_s:g} s") from e
        if done.returncode:
            said = _sentence(done.stderr) or f"{words[0]} ended with exit code {done.returncode}"
            raise (SlurmSilent if any(word in said.lower() for word in PASSING) else SlurmRefused)(said)
        return done.stdout


def _in_parts(jobs: Sequence[str]) -> list[Sequence[str]]:
    return [jobs[i : i + ARGUMENTS_MAX] for i in range(0, len(jobs), ARGUMENTS_MAX)]


def _sentence(text: str) -> str:
    """What a command said on its error output, its own name left out."""
    lines = [line.split("error: ", 1)[-1].strip() for line in text.splitlines() if line.strip()]
    return "; ".join(dict.fromkeys(lines))[:500]
