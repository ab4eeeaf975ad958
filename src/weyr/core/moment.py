"""Is a remembered moment still to come? Moments are wall clock time, which somebody may have set meanwhile."""


def is_awaited(moment: float, now: float, most_s: float) -> bool:
    """Whether `moment` lies ahead.

    Takes: `most_s`, the longest that anybody waits for such a moment. One further ahead was written down before the
    clock was set back, and counts as over: an hour's step must not make an hour's wait.
    """
    return now < moment <= now + most_s
