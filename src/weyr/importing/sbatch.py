"""What of an sbatch script is a job of ours? Its `#SBATCH` lines are fields, the rest is what runs.

Source: sbatch(1) of Slurm 22.05 to 25.05.
"""

import re
import shlex
from dataclasses import dataclass
from typing import Any

from weyr.importing import amounts
from weyr.importing.draft import Draft, Verdict
from weyr.importing.srun import without_srun

SHORT = {
    "J": "job-name", "N": "nodes", "n": "ntasks", "c": "cpus-per-task", "t": "time", "p": "partition", "A": "account",
    "q": "qos", "C": "constraint", "a": "array", "d": "dependency", "o": "output", "e": "error", "D": "chdir",
    "G": "gpus", "w": "nodelist", "x": "exclude", "L": "licenses", "b": "begin", "i": "input", "H": "hold",
    "s": "oversubscribe", "k": "no-kill", "m": "distribution", "Q": "quiet", "M": "clusters", "W": "wait",
}  # fmt: skip
SITE = ("partition", "account", "qos", "constraint")
"""Words of one cluster, which a stack says once, where it says that it runs there."""
LOGS = "Weyr keeps what a job prints: weyr logs."
REASONS = {
    **dict.fromkeys(("reservation", "clusters", "wckey"), "It is a word of one site, which `on: slurm` does not know."),
    **dict.fromkeys(("output", "error", "open-mode"), LOGS),
    **dict.fromkeys(("mail-type", "mail-user"), "Weyr sends no mail; `weyr events --follow` tells of every end."),
    **dict.fromkeys(
        (
            "nodelist", "exclude", "contiguous", "switches", "distribution", "hint", "threads-per-core",
            "sockets-per-node", "cores-per-socket", "mincpus", "ntasks-per-core",
        ),
        "Which nodes and cores it gets is for the scheduler to say.",
    ),
    **dict.fromkeys(("exclusive", "oversubscribe"), "A job gets what it asks for, not the node around it."),
    **dict.fromkeys(("requeue", "no-requeue"), "A job that loses its node is always tried again."),
    "signal": "A job is told with SIGTERM, `grace` before it is killed; of its time limit nothing warns it.",
    "licenses": "Weyr counts no licences.",
    "begin": "A job begins as soon as there is room for it.",
    "deadline": "Slurm's deadline drops jobs that could not end in time.",
    "export": "A job gets the variables of its `env`, none of yours.",
    "input": "A job's input is empty.",
    "tmp": "A job's disk is its node's.",
    "parsable": "It is about sbatch's own output.",
    "comment": "Write it as a comment in the stack file.",
    "nice": "Order among jobs is set on their `queue`.",
}  # fmt: skip
VARIABLES = {
    "SLURM_PROCID": "RANK", "SLURM_NODEID": "NODE_RANK", "SLURM_LOCALID": "LOCAL_RANK", "SLURM_NTASKS": "WORLD_SIZE",
    "SLURM_NPROCS": "WORLD_SIZE", "SLURM_NNODES": "WORLD_SIZE", "SLURM_JOB_NUM_NODES": "WORLD_SIZE",
    "SLURM_CPUS_PER_TASK": "OMP_NUM_THREADS", "SLURM_JOB_ID": "WEYR_ATTEMPT",
    "SLURM_JOBID": "WEYR_ATTEMPT", "SLURM_JOB_NAME": "WEYR_JOB", "SLURM_SUBMIT_DIR": "PWD",
}  # fmt: skip
"""What Slurm tells a script, and where it finds the same here."""
_DIRECTIVE = re.compile(r"#SBATCH\s+(.*?)\s*(?:#.*)?")
_RENDEZVOUS = re.compile(r"^[ \t]*(?:export[ \t]+)?(?P<name>MASTER_(?:ADDR|PORT))=.*\n", re.MULTILINE)
_ASKS_SLURM = re.compile(r"\bSLURM_\w+|\b(?:scontrol|scancel|sbatch|squeue|sacct)\b(?=\s)")


@dataclass(frozen=True, slots=True)
class Body:
    """What runs, and the line of the file that each of its lines is."""

    text: str
    lines: tuple[int, ...]

    def line_at(self, offset: int) -> int:
        return self.lines[self.text.count("\n", 0, offset)]


@dataclass(frozen=True, slots=True)
class Option:
    """One option of a directive, and its line."""

    line: int
    value: str


def is_script(text: str) -> bool:
    """Whether it is one that sbatch takes."""
    return text.startswith("#!") and re.search(r"^#SBATCH\b", text, re.MULTILINE) is not None


def read_script(text: str, draft: Draft) -> None:
    """Adds the job that a script is to the draft."""
    options, body, interpreter = _parts(text, draft)
    reader = _Options(options, draft)
    fields: dict[str, Any] = {"run": "", "folder": reader.text("chdir")}
    replicas = _size(reader, bool(without_srun(body.text)[1]), fields)
    fields["replicas"] = replicas if replicas > 1 else None
    fields["time_limit"] = reader.read("time", amounts.slurm_time)
    _array(reader, fields)
    if "dependency" in options:
        reader.left("dependency", "Put the jobs into one stack, and say `needs:` there.")
    fields["run"] = [*interpreter, _body(body, replicas, "matrix" in fields.get("array", {}), draft)]
    name = reader.text("job-name") or draft.name
    draft.add("jobs", name, fields)
    reader.leave_rest()


def _parts(text: str, draft: Draft) -> tuple[dict[str, Option], Body, list[str]]:
    """The options by their long names, what runs, and the words that run it."""
    lines = text.splitlines()
    options: dict[str, Option] = {}
    kept: list[tuple[int, str]] = []
    is_begun = False
    for number, line in enumerate(lines[1:], start=2):
        directive = _DIRECTIVE.fullmatch(line)
        if directive is None or is_begun:
            if kept or line:
                kept.append((number, line))
            # As sbatch does: directives end at the first line that is neither a comment nor empty.
            is_begun = is_begun or bool(line.strip() and not line.lstrip().startswith("#"))
            if directive is not None:
                draft.say(
                    number, line.strip(), Verdict.LEFT_OUT, "It stands after the first command: sbatch ignores it too."
                )
            continue
        for name, value in _words(directive[1]):
            if name == "hetjob":
                draft.say(
                    number, "hetjob", Verdict.LEFT_OUT, "A gang's members ask for the same; make a job of each part."
                )
            options[name] = Option(number, value)
    shebang = shlex.split(lines[0][2:].strip()) or ["/bin/sh"]
    interpreter = [word for word in shebang if word not in ("/usr/bin/env", "-l", "--login")]
    if interpreter[-1].endswith("sh"):
        interpreter = [interpreter[0].rpartition("/")[2], *interpreter[1:]]
    body = Body("\n".join(line for _, line in kept).rstrip("\n") + "\n", tuple(number for number, _ in kept) or (1,))
    return options, body, [*interpreter, "-c"]


def _words(text: str) -> list[tuple[str, str]]:
    """`--nodes=2 -c 4 -n8` as pairs of long name and value."""
    try:
        words = shlex.split(text)
    except ValueError:
        words = text.split()
    found = []
    while words:
        word = words.pop(0)
        if word.startswith("--"):
            name, equals, value = word[2:].partition("=")
        elif word.startswith("-") and len(word) > 1:
            name, equals, value = SHORT.get(word[1], word[1]), word[2:], word[2:].removeprefix("=")
        else:
            name, equals, value = word, "", ""
        if not equals and words and not words[0].startswith("-"):
            value = words.pop(0)
        found.append((name, value))
    return found


class _Options:
    """The options of a script, and which of them were taken."""

    def __init__(self, options: dict[str, Option], draft: Draft) -> None:
        self._options, self._draft = options, draft
        self._taken: set[str] = set()

    def text(self, name: str) -> str:
        self._taken.add(name)
        option = self._options.get(name)
        return option.value if option else ""

    def number(self, name: str, otherwise: int = 0) -> int:
        text = self.text(name).partition("-")[0]
        if text and not text.isdecimal():
            self.left(name, f"{text!r} is not a whole number.")
        return int(text) if text.isdecimal() else otherwise

    def read(self, name: str, parse: Any) -> Any:
        text = self.text(name)
        try:
            return parse(text) if text else None
        except ValueError as e:
            self.left(name, f"{e}.")
            return None

    def left(self, name: str, why: str) -> None:
        self._say(name, Verdict.LEFT_OUT, why)

    def changed(self, name: str, why: str) -> None:
        self._say(name, Verdict.CHANGED, why)

    def _say(self, name: str, verdict: Verdict, why: str) -> None:
        self._taken.add(name)
        if name in self._options:
            self._draft.say(self._options[name].line, f"--{name}", verdict, why)

    def leave_rest(self) -> None:
        for name in self._options:
            if name in self._taken or name == "hetjob":
                continue
            if name in SITE:
                said = f"{name}: {self._options[name].value}"
                self.left(name, f"It is a word of one cluster. To run there, write on: {{slurm: {{{said}}}}}.")
            else:
                self.left(name, REASONS.get(name, "Weyr has no such setting."))


def _size(options: _Options, has_srun: bool, fields: dict[str, Any]) -> int:
    """How many members the job has; puts what each of them may use into `fields`."""
    nodes, per_node = options.number("nodes", 1), options.number("ntasks-per-node", 0)
    tasks = options.number("ntasks", nodes * (per_node or 1))
    cpus = options.number("cpus-per-task", 1)
    replicas = max(tasks, nodes) if has_srun or nodes > 1 else 1
    # Without srun the script runs once, whatever was asked for around it: one process then has it all.
    share = max(1, tasks) if replicas == 1 else 1
    on_a_node = max(1, replicas // max(1, nodes))
    memory = _memory(options, cpus * share, on_a_node)
    resources = {
        "cpu": cpus * share if cpus * share > 1 else None,
        "memory": memory,
        "accelerators": _gpus(options, nodes, replicas),
    }
    fields["resources"] = {key: value for key, value in resources.items() if value}
    if replicas > 1:
        which = "ntasks" if tasks > nodes else "nodes"
        options.changed(
            which, f"The script runs {replicas} times, once in each member of the gang, not once before srun."
        )
    return replicas


def _memory(options: _Options, cpus: int, on_a_node: int) -> str | None:
    def share(text: str) -> str | None:
        mib = amounts.slurm_mib(text)
        return amounts.size_of((mib // on_a_node) << 20) if mib else None

    whole: str | None = options.read("mem", share)
    by_cpu: str | None = options.read(
        "mem-per-cpu", lambda text: amounts.size_of((amounts.slurm_mib(text) * cpus) << 20)
    )
    if options.text("mem") == "0":
        options.left("mem", "All of a node's memory; say how much the job needs.")
    if "mem-per-gpu" in options._options:
        options.left("mem-per-gpu", "Memory is the job's, not a device's; say how much it needs in all.")
    return whole or by_cpu


def _gpus(options: _Options, nodes: int, replicas: int) -> str | int | None:
    """Of each member, in whichever of Slurm's four ways it was asked for."""
    per_member = {
        "gpus-per-task": 1.0,
        "gpus": replicas,
        "gpus-per-node": replicas / max(1, nodes),
        "gres": replicas / max(1, nodes),
    }
    for name, members in per_member.items():
        text = options.text(name)
        if not text:
            continue
        if name == "gres":
            gpu = [part for part in text.split(",") if part.startswith("gpu")]
            if len(gpu) != len(text.split(",")):
                options.left(name, "Of generic resources, Weyr knows accelerators.")
            if not gpu:
                return None
            text = gpu[0].partition(":")[2] or "1"
        model, _, count = text.partition("(")[0].rpartition(":")
        if not count.isdecimal():
            model, count = count, "1"
        each = int(count) / members
        if each != int(each) or each < 1:
            options.left(name, f"{count} devices are not as many whole ones for each of {replicas} members.")
            return None
        return amounts.accelerators(model, str(int(each)))
    return None


def _array(options: _Options, fields: dict[str, Any]) -> None:
    text = options.text("array")
    if not text:
        return
    indices, _, parallel = text.partition("%")
    match = re.fullmatch(r"([0-9]+)-([0-9]+)(?::([0-9]+))?", indices)
    if match and int(match[1]) == 0 and match[3] in (None, "1"):
        array: dict[str, Any] = {"count": int(match[2]) + 1}
    else:
        array = {"matrix": {"index": _indices(indices)}}
        options.changed(
            "array", "Its indices do not count from 0 on: they are the values of a matrix, in $WEYR_MATRIX_INDEX."
        )
    if parallel.isdecimal():
        array["max_parallel"] = int(parallel)
    fields["array"] = array


def _indices(text: str) -> list[int]:
    found: list[int] = []
    for part in text.split(","):
        match = re.fullmatch(r"([0-9]+)(?:-([0-9]+)(?::([0-9]+))?)?", part)
        if match:
            found += range(int(match[1]), int(match[2] or match[1]) + 1, int(match[3] or 1))
    return found


def _body(body: Body, replicas: int, is_matrix: bool, draft: Draft) -> str:
    """What runs in each member: without srun, and told in Slurm's words what it asks for in them."""
    text, calls = without_srun(body.text)
    for call in calls:
        gone = f", with its options: {' '.join(call.options)}" if call.options else ""
        why = f"Each member runs the command itself; srun is taken out{gone}."
        draft.say(body.line_at(call.at), "srun", Verdict.CHANGED, why)
    image_at = body.text.find("--container-image")
    if calls and image_at >= 0:
        why = "The command ran in that image; name one of a registry with `image:`."
        draft.say(body.line_at(image_at), "--container-image", Verdict.DO, why)
    if replicas > 1:
        for match in _RENDEZVOUS.finditer(body.text):
            why = "It is set already, the same in all members; the line that works it out is taken away."
            draft.say(body.line_at(match.start("name")), match["name"], Verdict.CHANGED, why)
        text = _RENDEZVOUS.sub("", text)
    variables = VARIABLES | ({"SLURM_ARRAY_TASK_ID": "WEYR_MATRIX_INDEX"} if is_matrix else {})
    asked = set(_ASKS_SLURM.findall(text))
    _say_what_asks(body, asked - set(variables), draft)
    exports = [f'export {name}="${variable}"' for name, variable in variables.items() if name in asked]
    return "\n".join([*exports, text])


def _say_what_asks(body: Body, asked: set[str], draft: Draft) -> None:
    """What of a script needs Slurm around it, each with the first line that it stands on."""
    for name in sorted(name for name in asked if not name.startswith("SLURM_ARRAY_")):
        at = next(found.start() for found in _ASKS_SLURM.finditer(body.text) if found[0] == name)
        why = "The script asks Slurm with it, and there is nothing like it here."
        draft.say(body.line_at(at), name, Verdict.DO, why)
    module = re.search(r"^[ \t]*module\s+(load|add)", body.text, re.MULTILINE)
    if module:
        why = "It works where the engine's nodes have modules, and a login shell."
        draft.say(body.line_at(module.start()), "module load", Verdict.DO, why)
