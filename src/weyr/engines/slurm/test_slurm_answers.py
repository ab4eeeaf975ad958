"""What Slurm prints, as it was seen to print it, and what is made of it."""

import pytest

from weyr.engines.slurm.answers import ENDED, JobRow, JobState, accounts_of, queue_of, submitted_of


def test_a_queue_is_read_with_all_that_a_user_may_write() -> None:
    """A comment may hold the separator; it comes last so that it does no harm."""
    text = (
        "5|5|N/A|PENDING|Resources|N/A|N/A|N/A||weyr:1a:b|c|\n"
        "3|1|0|RUNNING|None|N/A|1795652702|N/A|n[1-2]|(null)|\n"
        "7|7|N/A|FAILED|NonZeroExitCode|1795652706|1795652705|1795652706|n1|weyr|\n"
    )
    assert queue_of(text) == [
        JobRow("5", None, JobState.PENDING, "weyr:1a:b|c", "Resources"),
        JobRow("1_0", 0, JobState.RUNNING, "", "", "n[1-2]", 1795652702.0),
        JobRow("7", None, JobState.OVER, "weyr", "NonZeroExitCode", "n1", 1795652705.0, 1795652706.0, True),
    ]


def test_accounts_are_read_with_who_cancelled() -> None:
    """sacct puts a user's number behind the word, and has steps and elements in a job's name."""
    text = "12|CANCELLED by 1000|1795652702|1795652703|n1|weyr|x\n13_4|PREEMPTED|1795652702|1795652703|n2|\n"
    assert accounts_of(text) == [
        JobRow("12", None, JobState.CANCELLED, "weyr|x", "", "n1", 1795652702.0, 1795652703.0),
        JobRow("13_4", 4, JobState.PREEMPTED, "", "", "n2", 1795652702.0, 1795652703.0, True),
    ]


@pytest.mark.parametrize("text", ["slurm_load_jobs error\n", "1|2|3\n", "5|5|N/A|DREAMING|None|N/A|N/A|N/A||x|\n"])
def test_an_answer_that_is_not_understood_is_an_error(text: str) -> None:
    """Half an answer must not read as an empty queue: that would be taken for proof that jobs are gone."""
    with pytest.raises(ValueError):
        queue_of(text)


def test_a_job_number_is_read_without_its_cluster() -> None:
    """A federation's sbatch prints both, and sites print greetings before."""
    assert [submitted_of(text) for text in ("123\n", "123;cluster\n", "welcome\n123\n")] == ["123"] * 3
    with pytest.raises(ValueError):
        submitted_of("")


def test_every_state_is_either_an_end_or_not() -> None:
    """A state that is neither would be looked at for ever."""
    assert set(JobState) - ENDED == {JobState.PENDING, JobState.RUNNING, JobState.ENDING}
