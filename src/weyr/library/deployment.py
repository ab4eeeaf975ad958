"""An endpoint that was deployed: where it is, what it says, and how to take it down."""

import json
import threading
import time
from dataclasses import dataclass
from http.client import HTTPConnection, HTTPSConnection
from typing import Any
from urllib.parse import urlsplit

from weyr.cli.client import HttpClient
from weyr.cli.objects import Row, rows_of
from weyr.cli.plans import PlanView, asked_by, removal
from weyr.core.diagnostic import Diagnostic, UserError
from weyr.core.phase import Phase

POLL_S = 0.05
PAUSE = threading.Event()
"""Never set: its `wait` is the pause between two looks."""


@dataclass(frozen=True, slots=True)
class Deployment:
    """`plan` is what was carried out: its `text` tells the price."""

    client: HttpClient
    name: str
    plan: PlanView

    @property
    def url(self) -> str:
        """Where requests go; "" while it is not known yet."""
        return str(self._row().outputs.get("url", ""))

    @property
    def version(self) -> Any:
        """The version that answers."""
        return self._row().outputs.get("version")

    @property
    def status(self) -> str:
        """What it is doing, in a sentence."""
        row = self._row()
        return f"{row.phase.value}: {row.message}"

    def wait(self, timeout_s: float = 300.0) -> "Deployment":
        """Until a request is answered. Raises: UserError where it failed, or is not up in time."""
        end_at = time.monotonic() + timeout_s
        while True:
            row = self._row()
            if row.phase is Phase.READY and row.generation >= self.plan.wanted.get(f"endpoint/{self.name}", 0):
                return self
            if row.phase in (Phase.FAILED, Phase.HELD) or time.monotonic() > end_at:
                summary = "The endpoint is not up in time" if row.phase not in (Phase.FAILED, Phase.HELD) else (
                    "The endpoint did not come up"
                )  # fmt: skip
                tip = f"weyr describe endpoint/{self.name} --stack {self.name}"
                raise UserError(Diagnostic(summary, f"{self.name}: {row.message or row.phase.value}.", suggestion=tip))
            PAUSE.wait(POLL_S)

    def predict(self, rows: Any, *, timeout_s: float = 60.0) -> Any:
        """What the model says of each of these rows: a list, or anything that has `tolist`, such as a NumPy array.

        Raises: UserError with what the server answered.
        """
        row = self._row()
        given = rows.tolist() if hasattr(rows, "tolist") else rows
        status, text = self._post(f"{row.outputs['url']}/v1/models/{row.outputs['model']}:predict", given, timeout_s)
        if status != 200:
            raise UserError(Diagnostic("The endpoint refused the request", f"{self.name}: {status} {text[:500]}"))
        return json.loads(text)["predictions"]

    def down(self) -> None:
        """Takes the endpoint down; the model stays."""
        plan = removal(self.client, self.name)
        self.client.call("POST", f"/v1/plans/{plan.id}/apply", asked_by())

    def _post(self, url: str, rows: Any, timeout_s: float) -> tuple[int, str]:
        parts = urlsplit(url)
        of = HTTPSConnection if parts.scheme == "https" else HTTPConnection
        connection = of(parts.hostname or "127.0.0.1", parts.port, timeout=timeout_s)
        headers = {"Authorization": f"Bearer {self.client.token}", "Content-Type": "application/json"}
        try:
            connection.request("POST", parts.path, json.dumps({"instances": rows}), headers)
            answer = connection.getresponse()
            return answer.status, answer.read().decode("utf-8", "replace")
        finally:
            connection.close()

    def _row(self) -> Row:
        answer = self.client.call("GET", "/v1/objects", stack=self.name, kind="endpoint", name=self.name)
        rows = rows_of(answer)
        if not rows:
            detail = f"There is no endpoint {self.name} in stack {self.name}; somebody took it down."
            raise UserError(Diagnostic("The endpoint is gone", detail))
        return rows[0]
