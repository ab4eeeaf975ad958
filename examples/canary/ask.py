"""`ask.py GREETING`: asks the greeter until its answers have changed and all of them are GREETING, and counts them.

It needs what `weyr env` prints in its environment.
"""

import http.client
import os
import sys
import time
from collections import Counter

ALIKE = 300
"""So many alike in a row are all: of these a tenth alone would be thirty."""
GIVE_UP_S = 120.0


def main(wanted: str) -> int:
    host = os.environ["WEYR_INFERENCE_URL"].removeprefix("http://").rstrip("/")
    headers = {"Authorization": f"Bearer {os.environ['WEYR_TOKEN']}"}
    connection = http.client.HTTPConnection(host, timeout=60)
    answers: Counter[str] = Counter()
    alike, end_at = 0, time.monotonic() + GIVE_UP_S
    while time.monotonic() < end_at:
        connection.request("GET", "/canary/greeter/", headers=headers)
        answer = connection.getresponse()
        text = f"{answer.status} {answer.read().decode()}"
        answers[text] += 1
        alike = alike + 1 if text == f"200 {wanted}" else 0
        if len(answers) > 1 and alike >= ALIKE:
            break
    for text, count in answers.most_common():
        print(f"{count:7} {text}")
    return 0 if alike >= ALIKE else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
