"""What went wrong at a place outside? Plain classes, in which silence is not absence.

RemoteProblem
├── RemoteAbsent     there is no such object (or bucket): the place said so
├── RemoteChanged    what is there is not what the condition names
├── RemoteRefused    the place does not let us
├── RemoteCannot     the place, or its keys' alphabet, has no such thing
└── RemoteSilent     no answer, or none that means anything: nothing is known
"""


class RemoteProblem(Exception):
    """Something went wrong at a place outside."""


class RemoteAbsent(RemoteProblem):
    """The place says that there is no such thing."""


class RemoteChanged(RemoteProblem):
    """The object is not, or no longer, the one that was meant."""


class RemoteRefused(RemoteProblem):
    """The place does not let us."""


class RemoteCannot(RemoteProblem):
    """The place has no such thing."""


class RemoteSilent(RemoteProblem):
    """The place did not answer; nothing is known of the object."""
