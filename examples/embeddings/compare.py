"""`compare.py SENTENCE ...`: asks the endpoint for the sentences' vectors, and prints which is how like the first.

It needs what `weyr env` prints in its environment. OpenAI's client works as well: its base_url is URL below.
"""

import json
import os
import sys
import urllib.request

URL = f"{os.environ.get('WEYR_INFERENCE_URL', '').rstrip('/')}/embeddings/minilm/v1"


def vectors(sentences: list[str]) -> list[list[float]]:
    """float[sentences, 384], each of length one."""
    headers = {"Authorization": f"Bearer {os.environ['WEYR_TOKEN']}", "Content-Type": "application/json"}
    body = json.dumps({"model": "minilm", "input": sentences}).encode()
    with urllib.request.urlopen(urllib.request.Request(f"{URL}/embeddings", body, headers), timeout=60) as answer:
        return [item["embedding"] for item in json.load(answer)["data"]]


def main(sentences: list[str]) -> None:
    first, *others = vectors(sentences)
    found = [
        (sum(a * b for a, b in zip(first, other, strict=True)), text)
        for other, text in zip(others, sentences[1:], strict=True)
    ]
    for likeness, text in sorted(found, reverse=True):
        print(f"{likeness:6.3f}  {text}")


if __name__ == "__main__":
    main(sys.argv[1:])
