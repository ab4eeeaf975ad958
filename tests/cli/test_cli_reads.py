"""What the reading verbs print, as text and as JSON."""

import json
from collections.abc import Iterator

import pytest
from cli_shell import Shell, a_shell

READS = {
    "everything": ["get"],
    "a kind": ["get", "jobs"],
    "stacks": ["get", "stacks"],
    "an object": ["describe", "job/train"],
    "a comparison": ["ab", "endpoint/digits"],
    "events": ["events"],
    "runs": ["runs"],
    "one run": ["runs", "0f6d"],
    "cost": ["cost", "--by", "object"],
    "secrets": ["secret", "list"],
    "audit": ["audit"],
    "server": ["server", "status"],
    "kinds": ["explain"],
    "a field": ["explain", "job.checkpoint.every"],
    "this machine": ["doctor"],
    "a file": ["validate"],
    "a plan": ["plan"],
}


@pytest.fixture(scope="module")
def standing(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shell]:
    """One server and one stack for all: what is asked here changes neither, and what is set is removed again."""
    with a_shell(tmp_path_factory.mktemp("reads")) as shell:
        shell.serve()
        assert shell.weyr("up", "--yes", "--detach").status == 0
        yield shell


@pytest.mark.parametrize("words", READS.values(), ids=READS.keys())
def test_every_read_has_json_and_nothing_else_on_stdout(standing: Shell, words: list[str]) -> None:
    """Scripts must be able to parse every read."""
    said = standing.weyr(*words, "--json")

    assert said.status == 0, said.err
    assert isinstance(json.loads(said.out), dict)


def test_get_is_a_table_without_colour_when_piped(standing: Shell) -> None:
    """What goes into a pipe has no escape codes and is not cut."""
    said = standing.weyr("get")

    assert said.out.splitlines()[0].split() == ["OBJECT", "PHASE", "WHAT"]
    assert "job/train        done   train is done" in said.out
    assert "\x1b" not in said.out


def test_versions_are_compared_and_chance_is_called_chance(standing: Shell) -> None:
    """Twenty times the errors of the control are worse; a latency that hardly differs is not."""
    said = standing.weyr("ab", "endpoint/digits").out
    errors, latency = said.splitlines()[1:]
    assert errors.split()[:3] == ["errors", "4:", "20.00%"]
    assert errors.endswith("worse")
    assert latency.endswith("no difference shown")
    wrong = standing.weyr("ab", "endpoint/digits", "--control", "9")
    assert wrong.status != 0
    assert "of these some were: 3, 4" in wrong.err


def test_get_wide_adds_the_money(standing: Shell) -> None:
    """`-o wide` answers: what does it cost me now?"""
    assert "PER HOUR" in standing.weyr("get", "-o", "wide").out


def test_a_mistyped_ref_names_the_nearest(standing: Shell) -> None:
    """The next step is one word away."""
    said = standing.weyr("describe", "job/trian")

    assert said.status == 1
    assert 'There is no job/trian. Did you mean "job/train"?' in said.err


def test_an_object_that_is_not_there_is_exit_one(standing: Shell) -> None:
    """`weyr get job/x && ...` must not go on."""
    assert standing.weyr("get", "job/nope").status == 1


def test_a_kind_that_is_not_there_is_a_mistake_and_not_an_empty_list(standing: Shell) -> None:
    """A typo that looks like "there is none" leads people, and scripts, astray."""
    mistyped = standing.weyr("get", "jobz")
    a_stack = standing.weyr("get", "digits")
    of_no_object = standing.weyr("events", "train")

    assert mistyped.status == 1
    assert "There is no kind 'jobz'. Did you mean \"job\"?" in mistyped.err
    assert "Try: weyr get --stack digits" in a_stack.err
    assert standing.weyr("get", "secrets").status == 0
    assert "Error: Not an address" in of_no_object.err


def test_a_log_as_json_is_one_object_per_line(standing: Shell) -> None:
    """It can be read while it grows."""
    out = standing.weyr("logs", "job/train", "--json").out

    assert [json.loads(line) for line in out.splitlines()] == [
        {"line": "epoch 1 loss 2.3"},
        {"line": "epoch 2 loss 1.1"},
    ]


def test_logs_are_what_the_task_printed(standing: Shell) -> None:
    """Nothing is added to a task's output, so it can be piped on."""
    assert standing.weyr("logs", "job/train#1").out == "epoch 1 loss 2.3\nepoch 2 loss 1.1\n"


def test_one_run_is_drawn_with_its_metrics(standing: Shell) -> None:
    """A loss is seen, not read."""
    out = standing.weyr("runs", "train-2").out

    assert "accuracy 0.9722  loss 0.05" in out
    assert out.count("┤") == 8


def test_cost_adds_up_on_the_screen(standing: Shell) -> None:
    """Rows, their shares, the total, and the month."""
    out = standing.weyr("cost").out

    assert "job/train    0.004  80.0 %" in out
    assert "total        0.005" in out
    assert "29.20 USD forecast for the month" in out


def test_chaos_reclaims_by_name(standing: Shell) -> None:
    """The demo's interruption is one command."""
    said = standing.weyr("chaos", "reclaim", "job/train", "--notice", "3s")

    assert said.status == 0, said.err
    assert "its node goes in 3s" in said.err


@pytest.mark.parametrize("order", ["promote", "abort", "pause", "resume"])
def test_a_rollout_is_told_what_to_do(standing: Shell, order: str) -> None:
    """One command each, and where to see what comes of it."""
    said = standing.weyr("rollout", order, "job/train")

    assert said.status == 0, said.err
    assert "See it happen: weyr events job/train" in said.err


def test_a_secret_goes_in_by_stdin_and_never_comes_out(standing: Shell) -> None:
    """A value on the command line would be in every process list."""
    assert standing.weyr("secret", "set", "digits/api-key", stdin="hush\n").status == 0

    listed = standing.weyr("secret", "list")
    as_argument = standing.weyr("secret", "set", "digits/api-key", "hush")

    assert "digits/api-key  1" in listed.out
    assert "hush" not in listed.out
    assert as_argument.status == 2
    assert standing.weyr("secret", "rm", "digits/api-key").status == 0
    assert standing.weyr("secret", "rm", "digits/api-key").status == 1
