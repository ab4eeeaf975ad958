"""What are the files of a version that is being registered? Its seal, from one listing: no file is read for it."""

import asyncio

from weyr.core.artifacts import ArtifactMissing, ArtifactStore, ArtifactStoreSilent
from weyr.core.seal import seal_of
from weyr.tracking.errors import ErrorCode, TrackingError
from weyr.tracking.places import place_of_uri

FILES_MAX = 10_000
"""What has more is no model, and no replica would fetch it."""


def sealed(store: ArtifactStore, loop: asyncio.AbstractEventLoop, uri: str) -> str:
    """The seal of the files at a URI. For a thread beside the loop, which lists them.

    "" where they are in no bucket of ours, where there are none yet, or more than a model can have: whoever registers
    may name any place. Raises: TrackingError where the store is silent, for then nothing is known of the files.
    """
    try:
        place = place_of_uri(uri)
    except TrackingError:
        return ""
    if place is None:
        return ""
    try:
        files = asyncio.run_coroutine_threadsafe(store.files(place, FILES_MAX), loop).result()
    except ArtifactMissing:
        return ""
    except ArtifactStoreSilent as e:
        raise TrackingError(ErrorCode.TEMPORARILY_UNAVAILABLE, f"The object store failed: {e}") from e
    return seal_of(files) if files else ""
