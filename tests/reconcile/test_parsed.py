"""What an object's text says is read once."""

from weyr.compose.kinds import KINDS
from weyr.core.ref import Ref
from weyr.core.schema import to_json
from weyr.kinds.ml.endpoint.memory import EndpointMemory
from weyr.reconcile.parsed import Parsed
from weyr.store.kernel import ObjectRow

JOB, ENDPOINT = KINDS["job"], KINDS["endpoint"]


def run(name: str, command: str = "x") -> ObjectRow:
    text = f'{{"run": "{command}", "resources": {{"cpu": 2, "memory": "4GiB"}}}}'
    return ObjectRow(Ref("s", "job", name), text, 1, "/", ())


def test_runs_of_one_job_have_one_spec() -> None:
    """A thousand runs a day say the same: reading it a thousand times took longer than deciding on it."""
    parsed = Parsed()
    assert parsed.spec(run("train-1"), JOB) is parsed.spec(run("train-2"), JOB)
    assert parsed.spec(run("train-2", "y"), JOB).run == "y"


def test_a_memory_that_was_just_written_is_not_read_again() -> None:
    assert ENDPOINT.memory is not None, "an endpoint remembers its replicas"
    memory, parsed = EndpointMemory(desired=2, url="http://here"), Parsed()
    text = to_json(ENDPOINT.memory, memory)
    ref = Ref("s", "endpoint", "chat")
    row = ObjectRow(ref, "{}", 1, "/", (), memory=text)
    parsed.keep(ref, ENDPOINT.memory, text, memory)
    assert parsed.memory(row, ENDPOINT) is memory
    assert Parsed().memory(row, ENDPOINT) == memory
    assert parsed.memory(
        ObjectRow(ref, "{}", 1, "/", (), memory=to_json(ENDPOINT.memory, EndpointMemory())), ENDPOINT
    ) == (EndpointMemory())
