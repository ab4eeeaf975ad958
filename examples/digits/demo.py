"""Brings this example up as you would, takes its machine away half-way, and asks the result a question.

`make demo` runs it. Everything it does goes through the `weyr` command and an unmodified Triton
client, so every line can be typed by hand.
"""

import json
import os
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import numpy as np
from sklearn.datasets import load_digits
from tritonclient.http import InferenceServerClient, InferInput

HERE = Path(__file__).parent
WEYR = str(Path(sys.executable).with_name("weyr"))
HOME = Path(os.environ.get("WEYR_HOME") or Path.home() / ".weyr")
INK = " .:-=+*#@"
SAMPLE = 103
"""An image that train.py's split puts into the test part, so that the model never learned from it."""


def main() -> int:
    is_over, was_taken = threading.Event(), threading.Event()
    thief = threading.Thread(target=take_the_machine_away, args=(is_over, was_taken))
    thief.start()
    try:
        came_up = weyr("up", os.path.relpath(HERE), "--yes")
    finally:
        is_over.set()
        thief.join()
    if came_up != 0:
        return came_up
    if was_taken.is_set():
        tell_of_the_interruption()
    ask_the_endpoint()
    print("\nWhat each object cost, every attempt included:", flush=True)
    weyr("cost", "--stack", "digits", "--by", "object")
    print(f"\nLook around with {os.path.relpath(WEYR)} get, runs or events. Take it all down with:")
    print(f"  {os.path.relpath(WEYR)} down {os.path.relpath(HERE)}")
    return 0


def take_the_machine_away(is_over: threading.Event, was_taken: threading.Event) -> None:
    """Half-way through the training, reclaims the job's spot node for real: notice, grace, kill."""
    while not is_over.wait(1.0):
        running = [run for run in asked("runs", "--stack", "digits").get("runs", []) if run["status"] == "RUNNING"]
        for run in running:
            epochs = int(run["params"].get("epochs", 0))
            losses = asked("runs", run["run_id"]).get("history", {}).get("loss", [])
            if epochs and losses and losses[-1][0] >= epochs / 2:
                if weyr("chaos", "reclaim", "digits:job/train", "--notice", "5s", is_shown=False) == 0:
                    was_taken.set()
                return


def tell_of_the_interruption() -> None:
    """What the second attempt said when it began."""
    print("\nHalf-way its machine was taken away. The training's own words:", flush=True)
    log = subprocess.run([WEYR, "logs", "job/train", "--stack", "digits"], capture_output=True, text=True, check=False)
    print("\n".join(f"  {line}" for line in log.stdout.splitlines() if "resumed" in line))


def ask_the_endpoint() -> None:
    """Shows an image to the endpoint and to you."""
    images, labels = load_digits(return_X_y=True)
    image = images[SAMPLE]
    endpoint = asked("get", "endpoint/digits", "--stack", "digits")["objects"][0]["outputs"]
    address = urlsplit(endpoint["url"])
    token = (HOME / "admin.token").read_text().strip()

    model, headers = endpoint.get("model", "digits"), {"Authorization": f"Bearer {token}"}
    client = InferenceServerClient(address.netloc + address.path)
    takes = client.get_model_metadata(model, headers=headers)["inputs"][0]
    question = InferInput(takes["name"], [1, 64], takes["datatype"])
    question.set_data_from_numpy(np.array([image]))
    answer = client.infer(model, [question], headers=headers)
    predicted = answer.as_numpy(answer.get_response()["outputs"][0]["name"])[0]
    client.close()

    print("\nAn image it never learned from, sent to the endpoint with tritonclient:\n")
    for row in image.reshape(8, 8):
        print("    " + "".join(INK[round(pixel / 16 * (len(INK) - 1))] * 2 for pixel in row))
    print(f"\n  the endpoint says: {predicted}    the label says: {labels[SAMPLE]}")


def asked(*words: str) -> dict[str, Any]:
    """A reading verb's JSON; empty while there is nothing to read yet."""
    done = subprocess.run([WEYR, *words, "--json"], capture_output=True, text=True, check=False)
    value = json.loads(done.stdout) if done.returncode == 0 and done.stdout else {}
    return value if isinstance(value, dict) else {}


def weyr(*words: str, is_shown: bool = True) -> int:
    """Runs the command, on your screen as it is unless `is_shown` is False. Gives its exit code."""
    if is_shown:
        print(f"$ weyr {' '.join(words)}", flush=True)
    return subprocess.run([WEYR, *words], capture_output=not is_shown, check=False).returncode


if __name__ == "__main__":
    sys.exit(main())
