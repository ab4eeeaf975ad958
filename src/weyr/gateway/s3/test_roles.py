"""What goes on beside the answering goes on."""

import asyncio
import logging

import pytest

from weyr.gateway.s3.roles import kept_up


def test_a_fault_of_ours_ends_no_work_for_good_and_is_told(caplog: pytest.LogCaptureFixture) -> None:
    """A sweeper that ended on one odd object would let every bucket grow, and nobody would know why."""
    begun = 0

    async def work() -> None:
        nonlocal begun
        begun += 1
        if begun < 3:
            raise TypeError("an odd object")

    with caplog.at_level(logging.ERROR, "weyr.s3"):
        asyncio.run(kept_up(work, anew_s=0))

    assert begun == 3
    assert [record.exc_text is not None for record in caplog.records] == [True, True]
