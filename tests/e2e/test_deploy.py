"""A model is deployed from Python: by whoever has just trained it, in one line."""

import re
import subprocess
import sys
from pathlib import Path

from one_user import User
from stacks import serving

DEPLOY = """
from types import SimpleNamespace

import weyr
from weyr.core.diagnostic import UserError

planned = weyr.model("sorter@production").plan("my-model")
print(planned.text)
numbered = weyr.model("models:/whole-sorter/1")
print("by number:", "model/sorter@version-1" in numbered.plan("my-model").text, *numbered.home.glob("deployed/*"))
endpoint = weyr.model("sorter@production").deploy(endpoint_name="my-model", scale={"min": 1, "max": 2})
print(endpoint.url, endpoint.version, [next(iter(row.values())) for row in endpoint.predict([[1.0, 0.0], [0.0, 1.0]])])
aliases = lambda: sorted(one["alias"] for one in endpoint.client.call(
    "GET", "/api/2.0/mlflow/registered-models/get", name="whole-sorter")["registered_model"]["aliases"])
print("aliases:", *aliases())
again = numbered.deploy(endpoint_name="my-model")
print(again.status, len(again.predict([[1.0, 0.0]])))
print("aliases:", *aliases())
run = endpoint.client.call("GET", "/api/2.0/mlflow/model-versions/get", name="whole-sorter", version="1")
logged = SimpleNamespace(registered_model_version=1, name="model", run_id=run["model_version"]["run_id"])
for what in (logged, SimpleNamespace(name="whole-sorter", version="1")):
    print("planned:", "whole:model/sorter@version-1" in weyr.model(what).plan("other").text)
for what, fields in (("sorter@production", {"scale": {"min": 3, "max": 2}}), ("nobody", {}), ("models:/x/y", {}),
                     ("models:/whole-sorter/9", {})):
    try:
        weyr.model(what).deploy(endpoint_name="my-model", **fields)
    except UserError as e:
        print("refused:", e.diagnostics[0].summary)
endpoint.down()
"""


def test_a_model_is_deployed_and_asked_from_python(user: User, model_folder: Path) -> None:
    """Planned and priced as a file is, refused where it is unsafe, and apart from the model's own stack."""
    text = serving(model_folder)
    user.up(text[: text.index("endpoints:")])
    done = subprocess.run(
        [sys.executable, "-c", DEPLOY], env=user.environment(), capture_output=True, text=True, check=False
    )

    assert done.returncode == 0, done.stdout + done.stderr
    assert "+ endpoint/my-model" in done.stdout
    assert "month" in done.stdout
    assert "/my-model/my-model 1 [1, 0]" in done.stdout
    # A moment later the plane says that it sends there, and the sentence changes.
    assert re.search("ready: version 1(: 1 of 1 replicas ready| on 1 replica) 1\n", done.stdout), done.stdout
    assert "by number: True\n" in done.stdout, "a plan writes no file, and says which version it is about"
    assert re.findall("aliases: (.*)", done.stdout) == ["production", "production version-1"]
    assert done.stdout.count("planned: True") == 2, "what MLflow gives of a logged model, and of a version"
    refusals = [line for line in done.stdout.splitlines() if line.startswith("refused")]
    assert [line.partition(": ")[2] for line in refusals] == [
        "Limits that contradict", "There is no such model", "A model that cannot be told", "There is no such version",
    ]  # fmt: skip
    user.weyr("down", "--stack", "my-model", "--yes", status=None)
    user.weyr("down", "--yes")
    assert user.remains() == []
