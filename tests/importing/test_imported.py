"""What becomes of files that were written for other tools. Each case is one that people write; beside it lies what it
became, and every word that was said of it."""

from pathlib import Path

import pytest

from weyr.compose.engines import ENGINES
from weyr.compose.kinds import KINDS
from weyr.core.diagnostic import UserError
from weyr.importing.formats import Format, imported
from weyr.importing.srun import without_srun
from weyr.stack.parse import parse_stack

CASES = {path.name: path for path in sorted((Path(__file__).parent / "cases").iterdir()) if path.suffix != ".golden"}


def golden_of(case: Path) -> str:
    stack = imported(case.read_text(), case.name, case.name.partition(".")[0])
    said = "\n".join(f"# {note.text(case.name)}" for note in stack.notes)
    return f"{stack.text}\n{said}\n"


@pytest.mark.parametrize("name", CASES)
def test_a_file_becomes_what_it_became_before(name: str, pytestconfig: pytest.Config) -> None:
    """The reviewer reads the difference; `pytest --update-plans` writes it anew."""
    golden = CASES[name].with_name(f"{name}.golden")
    text = golden_of(CASES[name])
    if pytestconfig.getoption("--update-plans"):
        golden.write_text(text)
    assert golden.read_text() == text


@pytest.mark.parametrize("name", CASES)
def test_what_it_became_is_a_stack(name: str) -> None:
    """The file that is printed comes up: `weyr validate` finds nothing wrong with it."""
    stack = imported(CASES[name].read_text(), name, name.partition(".")[0])
    parsed = parse_stack(stack.text, "weyr.yaml", KINDS, engines=ENGINES)
    assert {str(ref) for ref in parsed.objects} == {f"{each}" for each in stack.objects}


@pytest.mark.parametrize(
    ("text", "fields"),
    [
        (
            "run: work\nx: 1\nresources: {x: 1, job_recovery: {x: 1}, any_of: [{x: 1}]}\n",
            ["resources.any_of[0].x", "resources.job_recovery.x", "resources.x", "x"],
        ),
        ("run: work\nservice: {readiness_probe: {path: /, x: 1}, x: 1}\n", ["service.readiness_probe.x", "service.x"]),
        (
            "type: task\ncommands: [work]\nx: 1\nresources: {x: 1, gpu: {x: 1}}\nretry: {x: 1}\nschedule: {x: 1}\n",
            ["resources.gpu.x", "resources.x", "retry.x", "schedule.x", "x"],
        ),
        (
            "apiVersion: batch/v1\nkind: Job\nx: 1\nmetadata: {x: 1}\nspec: {x: 1, template: {x: 1, spec: {x: 1, "
            "containers: [{command: [w], x: 1, resources: {x: 1, limits: {x: 1}}, env: [{valueFrom: {x: 1}}]}]}}}\n",
            [
                "metadata.x",
                "spec.template.spec.containers[0].env[0].valueFrom.x",
                "spec.template.spec.containers[0].resources.limits.x",
                "spec.template.spec.containers[0].resources.x",
                "spec.template.spec.containers[0].x",
                "spec.template.spec.x",
                "spec.template.x",
                "spec.x",
                "x",
            ],
        ),
        ("#!/bin/sh\n#SBATCH --x=1\nwork\n", ["--x"]),
    ],
)
def test_no_field_is_dropped_in_silence(text: str, fields: list[str]) -> None:
    """What nobody here has heard of is said to be left out, wherever it stands."""
    notes = imported(text, "file", "name").notes
    assert sorted(note.field for note in notes if note.field.endswith("x")) == fields


def test_each_format_is_told_by_what_is_in_it() -> None:
    """Nobody has to say which tool a file is for."""
    formats = {name: imported(path.read_text(), name, "x").format for name, path in CASES.items()}
    for prefix, format in (
        ("sky", Format.SKYPILOT), ("dstack", Format.DSTACK), ("slurm", Format.SBATCH), ("k8s", Format.KUBERNETES),
    ):  # fmt: skip
        assert {found for name, found in formats.items() if name.startswith(prefix)} == {format}


@pytest.mark.parametrize(
    ("text", "summary"),
    [
        ("hello: world\n", "Not a file that can be imported"),
        ("#!/bin/sh\necho no directives\n", "Not a file that can be imported"),
        ("", "Not a file that can be imported"),
        ("apiVersion: v1\nkind: ConfigMap\nmetadata: {name: x}\n", "Nothing to import"),
        ("run: [unclosed\n", "The file is not YAML"),
    ],
)
def test_what_is_none_of_them_is_an_error(text: str, summary: str) -> None:
    """It says what a file must hold, instead of making a stack of nothing."""
    with pytest.raises(UserError) as raised:
        imported(text, "file", "x")
    assert raised.value.diagnostics[0].summary == summary


@pytest.mark.parametrize(
    ("directives", "resources"),
    [
        ("-N2 --ntasks-per-node=4 --gpus-per-node=8", {"accelerators": 2}),
        ("-n 4 --gpus=h100:4 -c 2", {"cpu": 2, "accelerators": "h100:1"}),
        ("-N 2 -n 2 --gres=gpu:a100:4,tmpfs:10G", {"accelerators": "a100:4"}),
        ("-N 1 -n 4 --mem=64G", {"memory": "16GiB"}),
        ("-n 2 -c 3 --mem-per-cpu=1500", {"cpu": 3, "memory": "4500MiB"}),
        ("-n 3 --gpus=2", {}),
    ],
)
def test_what_slurm_gives_to_all_is_shared_out_to_each(directives: str, resources: dict[str, object]) -> None:
    """sbatch asks for nodes, a job for what one of its members uses."""
    text = f"#!/bin/bash\n#SBATCH {directives}\nsrun ./work\n"
    parsed = parse_stack(imported(text, "x", "x").text, "weyr.yaml", KINDS)
    (job,) = parsed.objects.values()
    found = job.spec.model_dump(mode="json", exclude_defaults=True).get("resources", {})
    expected = parse_stack(
        f"stack: x\njobs: {{x: {{run: w, resources: {resources or '{}'}}}}}", "weyr.yaml", KINDS
    ).objects.values()
    assert found == next(iter(expected)).spec.model_dump(mode="json", exclude_defaults=True).get("resources", {})


@pytest.mark.parametrize(
    ("line", "runs"),
    [
        ("srun python train.py", "python train.py"),
        ("srun -l -n 8 python train.py", "python train.py"),
        ("srun --jobid $SLURM_JOBID bash -c 'torchrun x'", "bash -c 'torchrun x'"),
        ("srun --mpi=pmix --container-image ./a.sqsh \\\n  -l python train.py", "python train.py"),
        ('srun -l "${ARGS[@]}" torchrun "${TORCHRUN_ARGS[@]}"', 'torchrun "${TORCHRUN_ARGS[@]}"'),
        ("srun ${RESUME} $BINARY -b 8", "$BINARY -b 8"),
        ("date; srun --exact ./work &", "date; ./work &"),
        ("if srun -w n1 ./probe; then", "if ./probe; then"),
        ('srun --export="A=1,B=2" ./work', "./work"),
        ("# srun ./work", "# srun ./work"),
        ('echo "srun: error"', 'echo "srun: error"'),
    ],
)
def test_srun_goes_with_every_option_of_its(line: str, runs: str) -> None:
    """An option that stayed behind would be run as the command; what a variable holds is an option too."""
    before = 'ARGS=(\n  --container-image x\n)\nRESUME=""\nRESUME="--auto-resume=1"\nBINARY=bin/work\n'
    text, _ = without_srun(before + line + "\n")
    assert text.removeprefix(before) == runs + "\n"


def test_what_a_script_asks_of_slurm_is_said_with_its_line() -> None:
    """A script has hundreds of lines; whoever mends it needs to know which."""
    begin = "#!/bin/bash\n\n#SBATCH -N 2\nnodes=$(scontrol show hostnames)\n"
    text = begin + "MASTER_ADDR=x\nsrun -l ./work $SLURM_STEP_GPUS\n"
    notes = imported(text, "x", "x").notes
    assert [(note.line, note.field) for note in notes] == [
        (3, "--nodes"), (4, "scontrol"), (5, "MASTER_ADDR"), (6, "srun"), (6, "SLURM_STEP_GPUS"),
    ]  # fmt: skip


def test_a_text_that_reads_like_a_number_stays_a_text() -> None:
    """A learning rate in the environment is text; without quotes the stack file would not be valid."""
    stack = imported("run: work\nenvs: {LR: 1e-06, ON: 'true', N: '12'}\n", "x", "x")
    (job,) = parse_stack(stack.text, "weyr.yaml", KINDS).objects.values()
    assert job.spec.model_dump()["env"] == {"LR": "1e-06", "ON": "true", "N": "12"}
