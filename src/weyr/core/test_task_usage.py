"""Does the plan's price foresee what the meters will count?"""

import pytest

from weyr.core.capability import TaskBody
from weyr.core.ref import Ref
from weyr.core.task_spec import TaskSpec, task_body
from weyr.core.task_usage import planned_quantities, task_meters


@pytest.mark.parametrize(
    "fields",
    [
        {"resources": {"cpu": 2, "memory": "1GiB"}},
        {"pool": "gpu"},
        {"labels": {"zone": "a"}},
        {"resources": {"accelerators": "H100:8"}},
    ],
)
def test_a_plan_foresees_what_is_metered(fields: dict[str, object]) -> None:
    """A task on a pool's node is paid with the node: a plan that counted it again would be wrong by all of it."""
    spec = TaskSpec.model_validate(fields)

    body: TaskBody = task_body(Ref("job", "a", "s"), spec, {}, "/x", ("true",))

    assert planned_quantities(spec) == task_meters(body)
