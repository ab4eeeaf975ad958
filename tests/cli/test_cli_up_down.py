"""The main job as a user sees it: up, again, down, again."""

import json
import subprocess
import sys

from cli_shell import Shell

PHASES = ("bucket/lake", "job/train", "model/digits", "endpoint/digits")


def test_up_follows_to_the_end_and_says_what_to_type_next(shell: Shell) -> None:
    """The summary has an address, a line that works, the run with its curve, the bill, and the reference."""
    shell.serve("--start-s", "0.05")

    said = shell.weyr("up", "--yes")

    assert said.status == 0, said.err
    assert "4 to create" in said.err
    assert all(f"  {ref}  " in said.err for ref in PHASES)
    assert "endpoint/digits answers at http://127.0.0.1:" in said.out
    assert f'curl -s -H "Authorization: Bearer $(cat {shell.home}/admin.token)"' in said.out
    assert '/infer -d \'{"inputs":[{"name":"input-0","shape":[1,4],"datatype":"FP64","data":[0,0,0,0]}]}\'' in said.out
    assert "accuracy 0.9722" in said.out
    assert "⠀" in said.out, "the loss curve is drawn"
    assert "0.005 USD so far, 0.04 USD per hour now, 29.20 USD forecast for the month" in said.out
    assert "/docs" in said.out
    assert "weyr down --stack digits" in said.out, "it works in any folder, not only in the file's"


def test_up_again_changes_nothing_and_asks_nothing(shell: Shell) -> None:
    """A second `up` is how people check that all is well; it needs no --yes."""
    shell.serve()
    assert shell.weyr("up", "--yes").status == 0

    said = shell.weyr("up")

    assert said.status == 0, said.err
    assert "nothing changes" in said.err


def test_nobody_to_ask_is_a_clear_error_and_changes_nothing(shell: Shell) -> None:
    """In a pipe, `up` without --yes must not hang and must not guess."""
    shell.serve()

    said = shell.weyr("up")

    assert said.status == 1
    assert "Error: Nobody to ask" in said.err
    assert "Try: weyr up --yes" in said.err
    assert shell.weyr("get").err == "No stack stands.\n"


def test_a_failed_object_is_exit_one_with_its_reason_and_the_next_step(shell: Shell) -> None:
    """CI needs the exit code, people the reason; the rest of the summary is still told."""
    shell.serve("--fails", "job/train")

    said = shell.weyr("up", "--yes")

    assert said.status == 1
    assert "Error: An object failed" in said.err
    assert "job/train: Exit code 3." in said.err
    assert "Its log ends with:\n    | epoch 1 loss 2.3\n    | epoch 2 loss 1.1\n" in said.err
    assert "Try: weyr logs digits:job/train" in said.err
    assert "endpoint/digits answers at" in said.out


def test_time_is_up_says_that_it_goes_on(shell: Shell) -> None:
    """A bound on following is no bound on the stack."""
    shell.serve("--start-s", "30")

    said = shell.weyr("up", "--yes", "--timeout", "300ms")

    assert said.status == 1
    assert "Not finished in time" in said.err


def test_up_as_json_is_only_json_on_stdout(shell: Shell) -> None:
    """A script reads stdout; the plan and the progress go to stderr."""
    shell.serve()

    answer = json.loads(shell.weyr("up", "--yes", "--json").out)

    assert answer["outcome"] == "stands"
    assert {row["ref"] for row in answer["objects"]} == set(PHASES)


def test_down_waits_until_all_is_gone_and_prints_the_bill(shell: Shell) -> None:
    """After `down` nothing is left, and the server that `up` started is gone with it."""
    server = shell.serve("--start-s", "0.05", "--auto")
    assert shell.weyr("up", "--yes").status == 0

    said = shell.weyr("down", "--yes")

    assert said.status == 0, said.err
    assert "digits is gone. It cost 0.005 USD in all." in said.out
    assert "the server has stopped" in said.err
    assert server.wait(60) == 0


def test_a_server_that_the_user_started_stays(shell: Shell) -> None:
    """Only what `up` began by itself is ended by `down`."""
    server = shell.serve()
    assert shell.weyr("up", "--yes").status == 0

    said = shell.weyr("down", "--stack", "digits", "--yes")

    assert said.status == 0, said.err
    assert server.poll() is None


def test_down_twice_is_harmless(shell: Shell) -> None:
    """Somebody who is not sure types it again; that is no error."""
    shell.serve()

    said = shell.weyr("down")

    assert said.status == 0
    assert "Nothing of digits is there." in said.err


def test_plan_exit_codes_tell_changes_from_none(shell: Shell) -> None:
    """2: changes, 0: none, 1: the file is wrong. CI gates on it."""
    shell.serve()
    assert shell.weyr("plan").status == 0
    assert shell.weyr("plan", "--exit-code").status == 2
    assert shell.weyr("up", "--yes").status == 0
    assert shell.weyr("plan", "--exit-code").status == 0
    (shell.folder / "bad.yaml").write_text("stack: digits\nvolumes:\n  data: {sise: 1GiB}\n")
    assert shell.weyr("plan", "bad.yaml", "--exit-code").status == 1


def test_a_kept_plan_is_applied_by_file_and_refused_when_the_world_moved(shell: Shell) -> None:
    """Review first, apply later: what is applied is what was read."""
    shell.serve()
    assert shell.weyr("plan", "--out", "p.json").status == 0
    assert shell.weyr("apply", "p.json", "--yes").status == 0

    refused = shell.weyr("apply", "plan-old", "--yes")
    (shell.folder / "notes.txt").write_text("no plan\n")
    no_plan = shell.weyr("apply", "notes.txt", "--yes")
    no_file = shell.weyr("apply", "mine/p.json", "--yes")

    assert refused.status == 1
    assert "Error: The world has moved" in refused.err
    assert "Error: Not a plan" in no_plan.err
    assert "Error: No such plan" in no_file.err


def test_apply_takes_a_stack_with_the_use_that_it_is_expected_to_see(shell: Shell) -> None:
    """Without a plan it makes one, as up does; a kept plan's figures are what somebody has read, and stay."""
    shell.serve()
    (shell.folder / "usage.yaml").write_text("job/train: {runs: 30}\n")
    assert shell.weyr("plan", "--out", "p.json").status == 0

    kept = shell.weyr("apply", "p.json", "--usage", "usage.yaml", "--yes")
    missing = shell.weyr("apply", "--usage", "use.yaml", "--yes")
    here = shell.weyr("apply", "--usage", "usage.yaml", "--yes")

    assert kept.status == 1
    assert "Error: The plan is made already" in kept.err
    assert "weyr plan --usage usage.yaml --out p.json" in kept.err
    assert here.status == 0
    assert "Error: The usage file cannot be read" in missing.err


def test_up_ends_when_somebody_takes_the_stack_down(shell: Shell) -> None:
    """It waited for ever, and started the server again that down had ended."""
    shell.serve("--start-s", "10")
    command = [sys.executable, "-m", "weyr.cli.main", "up", "--yes"]
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=shell.folder, env=shell.environment({})
    ) as up:
        assert up.stderr is not None
        while "so it is told" not in (line := up.stderr.readline()):
            assert line, "up ended before anything stood"
        assert shell.weyr("down", "--yes").status == 0
        _, err = up.communicate(timeout=90)

    assert up.returncode == 1
    assert "Error: The stack was taken down" in err
