"""The cost page in a browser: a real Chromium asks a real server, and what it shows is what the bill says."""

import os
import re
import shutil
import subprocess
from html import unescape
from urllib.request import urlopen

from one_user import User, until

BROWSERS = ("chromium-headless-shell", "chromium", "google-chrome")
STACK = """\
stack: shown
budgets:
  month: {limit: 25 USD}
buckets:
  lake: {}
jobs:
  work: {run: sleep 600, resources: {cpu: 1, memory: 256MiB}}
"""


def test_the_cost_page_shows_the_bill_in_a_browser(user: User) -> None:
    """With no network but the server's: month, forecast, days, objects, budgets, findings and exports are there."""
    user.write(STACK)
    user.weyr("up", "--yes", "--detach")
    until(lambda: user.asked("cost")["rate_micros_per_hour"] > 0, "the job to cost something")
    until(lambda: "limit_micros" in user.row("budget/month")["outputs"], "the budget to be looked at")
    address = user.weyr("cost", "--page").out.strip()

    page, token = address.split("#token=")
    with urlopen(page) as answer:
        policy, empty = answer.headers["Content-Security-Policy"], answer.read().decode()
    shown = text_in(address)
    locked = text_in(page)

    assert "default-src 'none'" in policy, "it may ask nobody but this server"
    assert token not in empty
    assert "shown:" not in empty, "the page itself holds no figure"
    assert "live, as of" in shown
    for words in ("so far", "forecast for the month", "per hour now", "Spent by day and object", "shown:job/work",
                  "shown:budget/month", "of 25.00 USD", "limit of budget/month", "USD left until 20", "then an alert",
                  "What could be spent less",
                  "Nothing answered, and no run was logged.", "FOCUS 1.2, CSV"):  # fmt: skip
        assert words in shown, words
    rate = user.asked("cost")["rate_micros_per_hour"] / 1_000_000
    assert f"{rate:.4f} USD" in shown
    assert "shown:job/work" not in locked, "without a token it shows nothing, and asks for one"
    assert "weyr cost --page" in locked


def text_in(address: str) -> str:
    """What a browser shows at an address after some seconds of the page's own time, on a telephone's screen."""
    browser = next((found for name in BROWSERS if (found := shutil.which(name))), None)
    assert browser, f"none of {', '.join(BROWSERS)} is installed; on Debian: apt-get install chromium-headless-shell"
    done = subprocess.run(
        [browser, "--headless", "--no-sandbox", "--disable-gpu", "--virtual-time-budget=4000", "--window-size=420,900",
         "--dump-dom", address],
        capture_output=True, text=True, timeout=90, check=True, env={**os.environ, "TZ": "UTC"},
    )  # fmt: skip
    body = re.sub(r"<(script|style|datalist)\b.*?</\1>", "", done.stdout, flags=re.DOTALL)
    body = re.sub(r"<(main|form)\b[^>]*\bhidden\b.*?</\1>", "", body, flags=re.DOTALL)
    return unescape(re.sub(r"<[^>]+>", "\n", body))
