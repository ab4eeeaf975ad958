"""How long does a peer's model server take from nothing to its first answer? What its callers would wait at a wake.

No peer here sleeps and wakes by itself: what scales to zero around them (Knative, KEDA) starts the server and then
waits for it, so this is the least that it takes there. Each runs in an environment of its own, kept in the cache, with
the same ONNX file as `wake.py` serves.
"""

import http.client
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

from ports import free_port

CACHE = Path(os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache")) / "weyr-bench"
WITHIN_S = 120.0

LITSERVE = """\
import sys
import litserve
import numpy
import onnxruntime

class Product(litserve.LitAPI):
    def setup(self, device):
        self.session = onnxruntime.InferenceSession(sys.argv[1])
    def decode_request(self, request):
        return numpy.array(request["x"], numpy.float32)
    def predict(self, x):
        return self.session.run(None, {"x": x})[0]
    def encode_response(self, y):
        return {"y": y.tolist()}

if __name__ == "__main__":
    litserve.LitServer(Product(), accelerator="cpu").run(host="127.0.0.1", port=int(sys.argv[2]), log_level="error")
"""


@dataclass(frozen=True)
class Peer:
    """`words` are its command, in a folder with its `files`; with {python}, {model} and {port}."""

    packages: tuple[str, ...]
    files: dict[str, str]
    words: tuple[str, ...]
    path: str
    body: object


PEERS = {
    "litserve": Peer(
        ("litserve==0.2.19", "onnxruntime", "numpy"),
        {"serve.py": LITSERVE},
        ("{python}", "serve.py", "{model}", "{port}"),
        "/predict",
        {"x": [[1.0, 1.0]]},
    ),
}


def first_answer_s(name: str, model: Path, folder: Path) -> float:
    """Seconds from the start of its process to its first answer, which is right."""
    peer, python = PEERS[name], environment(name)
    port = free_port()
    place = folder / f"{name}-{port}"
    place.mkdir()
    said = {"python": python, "model": model, "port": port}
    for file, text in peer.files.items():
        (place / file).write_text(text)
    began = time.perf_counter()
    with (place / "log").open("w") as log:
        server = subprocess.Popen(
            [word.format(**said) for word in peer.words], cwd=place, stdout=log, stderr=log, start_new_session=True
        )
    try:
        while time.perf_counter() - began < WITHIN_S and server.poll() is None:
            if answers(port, peer):
                return time.perf_counter() - began
            time.sleep(0.002)
        raise SystemExit(f"{name} does not answer:\n{(place / 'log').read_text()[-2000:]}")
    finally:
        os.killpg(server.pid, signal.SIGKILL)  # what it forked as well
        server.wait()
        shutil.rmtree(place)


def answers(port: int, peer: Peer) -> bool:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    try:
        connection.request("POST", peer.path, json.dumps(peer.body), {"Content-Type": "application/json"})
        answer = connection.getresponse()
        return answer.status == http.HTTPStatus.OK and b"1.0" in answer.read()
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()


def environment(name: str) -> Path:
    """The Python of its environment, made where it is not there yet."""
    folder = CACHE / name
    if not (folder / "made").exists():
        subprocess.run([sys.executable, "-m", "venv", "--clear", str(folder)], check=True)
        subprocess.run([folder / "bin/python", "-m", "pip", "install", "-q", *PEERS[name].packages], check=True)
        (folder / "made").touch()
    return folder / "bin" / "python"
