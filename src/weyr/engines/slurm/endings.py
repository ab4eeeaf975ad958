"""What does the end of a Slurm job mean for a task that recorded none itself, and when is that believed? Pure."""

from weyr.core.seen import EndReason
from weyr.engines.slurm.answers import JobState
from weyr.engines.slurm.keeping import RENEWALS
from weyr.engines.slurm.settings import SlurmSettings

LEASE_MARGIN_S = 10.0
"""What a wrapper may take to end all it runs once its lease is over."""
MAY_RUN_ON = frozenset({JobState.NODE_FAIL, JobState.PREEMPTED, JobState.CANCELLED, JobState.TIMEOUT})
"""How jobs end of which Slurm does not say whether anybody on their nodes heard of it."""
ENDS = {
    JobState.NODE_FAIL: (EndReason.NODE_LOST, "the node of Slurm's job {job} is down"),
    JobState.PREEMPTED: (EndReason.PREEMPTED, "Slurm gave the place of job {job} to another"),
    JobState.CANCELLED: (EndReason.STOPPED, "Slurm's job {job} was cancelled"),
    JobState.TIMEOUT: (EndReason.TIMED_OUT, "Slurm's job {job} reached the time limit of its partition"),
    JobState.OUT_OF_MEMORY: (EndReason.OUT_OF_MEMORY, "Slurm ended job {job} for want of memory"),
    JobState.NOT_STARTED: (EndReason.NOT_STARTED, "Slurm could not start job {job}"),
    JobState.OVER: (EndReason.LOST, "Slurm's job {job} ended and its wrapper left no record"),
}


def wait_s_of(state: JobState, settings: SlurmSettings) -> float:
    """How long after Slurm gave a job up nothing of it that had begun can be at work, or still on its way to us.

    What runs on may have been told just before that it may, and takes a while to end.
    """
    if state not in MAY_RUN_ON:
        return settings.settle
    lease_s = settings.lease
    return max(settings.settle, min(2 * lease_s, lease_s + lease_s / RENEWALS + LEASE_MARGIN_S))
