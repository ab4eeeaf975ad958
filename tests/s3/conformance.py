"""How much of S3 does Weyr speak, in the words of Ceph's s3-tests? Runs the suite as it is against `weyr s3 serve`.

    make s3-tests S3_TESTS=path/to/s3-tests                what fails, and what is new beside the committed list
    python tests/s3/conformance.py PATH --update           write the list anew; reasons that were given stay
    python tests/s3/conformance.py PATH -k bucket_policy   some of it

The suite is not part of Weyr. Its requirements go into a virtual environment that is removed again (`--python` names
one that stays). Its lifecycle tests know a server whose days last `lc_debug_interval` seconds: the server is started
with `--lifecycle-day` of as many, or with no option at all (`--plain`).
"""

import argparse
import json
import os
import re
import signal
import subprocess
import sys
import tempfile
import venv
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from xml.etree import ElementTree

ROOT = Path(__file__).parents[2]
LIST = ROOT / "docs" / "reference" / "s3-conformance.md"
LEFT_OUT = ("cloud_transition", "cloud_restore", "s3select", "bucket_logging", "sns")
REQUIREMENTS = ("boto3", "munch", "gevent", "isodate", "requests", "pytz", "httplib2", "lxml", "pytest", "pytest-xdist",
                "PyYAML")  # fmt: skip
PARTS = (
    "lifecycle", "bucket_policy", "object_lock", "conditional_write", "checksum", "bucket_encryption", "sse_s3",
    "encryption", "object_ownership", "tagging", "versioning", "list_objects_v2", "copy", "storage_class",
    "s3website", "appendobject",
)  # fmt: skip
"""A test counts for the first of these marks that it carries, else for its file or the beginning of its name."""
UNEXPLAINED = "Not looked into"
DAY_S = 2
KMS_KEYS = ("testkey-1", "testkey-2")
"""What the suite calls its keys where its configuration names none."""


@dataclass(frozen=True)
class User:
    section: str
    name: str
    access_key: str
    secret: str


USERS = (
    User("s3 main", "main", "MAINKEY0000000000000", "mainsecret/with+and:colon"),
    User("s3 alt", "alt", "ALTKEY00000000000000", "altsecret00000000000"),
    User("s3 tenant", "tenant", "TENANTKEY00000000000", "tenantsecret00000000"),
    User("iam", "iam", "IAMKEY00000000000000", "iamsecret00000000000"),
    User("iam root", "root", "ROOTKEY0000000000000", "rootsecret0000000000"),
    User("iam alt root", "altroot", "ALTROOTKEY0000000000", "altrootsecret0000000"),
)


@dataclass(frozen=True)
class Outcome:
    name: str
    part: str
    result: str
    """passed, failed or skipped."""


def main() -> int:
    """Prints passes by part and what differs from the list; 1 where something fails that the list does not name."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("suite", type=Path, help="a checkout of Ceph's s3-tests")
    parser.add_argument("--python", type=Path, help="an interpreter that has the suite's requirements")
    parser.add_argument("--plain", action="store_true", help="start the server with --data, --port and --user only")
    parser.add_argument("--update", action="store_true", help="write the list anew")
    parser.add_argument("--report", type=Path, help="keep the junit report here")
    parser.add_argument("-k", dest="only", default="", help="only tests whose names match, as pytest has it")
    parser.add_argument("-n", dest="workers", default="2", help="how many run at once")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="weyr-s3-tests-") as folder:
        place = Path(folder)
        python = options.python or _environment(place / "venv")
        report = options.report or place / "report.xml"
        with _served(place, options.plain) as port:
            _run(options, python, _config(place, port), report)
        outcomes = list(_outcomes(report))
    _print_parts(outcomes)
    known = _listed()
    unexpected = _print_differences(outcomes, known)
    if options.update:
        _write(outcomes, known)
    return 1 if unexpected else 0


def _environment(folder: Path) -> Path:
    venv.create(folder, with_pip=True)
    subprocess.run([folder / "bin" / "pip", "install", "--quiet", *REQUIREMENTS], check=True)
    return folder / "bin" / "python"


@contextmanager
def _served(place: Path, is_plain: bool) -> Iterator[int]:
    """A fresh `weyr s3 serve`; gives its port, stops it by its own pid, and shows its log if it had a bug."""
    weyr = Path(sys.executable).with_name("weyr")
    command = [str(weyr), "s3", "serve", "--data", str(place / "data"), "--port", "0", "--json"]
    for user in USERS:
        command += ["--user", f"{user.name}:{user.access_key}:{user.secret}"]
    if not is_plain:
        command += ["--lifecycle-day", f"{DAY_S}s", *(f"--kms-key={name}" for name in KMS_KEYS)]
    with (place / "s3.log").open("wb") as log:
        process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=log)
    try:
        assert process.stdout is not None
        line = process.stdout.readline()
        if not line:
            raise SystemExit(f"the server did not start:\n{(place / 's3.log').read_text()}")
        yield int(json.loads(line)["url"].rpartition(":")[2])
    finally:
        process.send_signal(signal.SIGINT)
        process.wait(30)
        bugs = [line for line in (place / "s3.log").read_text().splitlines() if "s3.bug" in line]
        print(f"bugs in the server's log: {len(bugs)}", *bugs[:20], sep="\n  ")


def _config(place: Path, port: int) -> Path:
    day_s = DAY_S
    lines = ["[DEFAULT]", "host = 127.0.0.1", f"port = {port}", "is_secure = False", "ssl_verify = False"]
    lines += ["[fixtures]", "bucket prefix = weyr-{random}-"]
    for user in USERS:
        lines += [f"[{user.section}]", f"user_id = {user.name}", f"display_name = {user.name}"]
        lines += [f"access_key = {user.access_key}", f"secret_key = {user.secret}", f"email = {user.name}@example.com"]
        if user.section == "s3 main":
            lines += ["api_name = us-east-1", f"lc_debug_interval = {day_s}"]
        if user.section == "s3 tenant":
            lines += ["tenant = tenants"]
    path = place / "s3tests.conf"
    path.write_text("\n".join(lines) + "\n")
    return path


def _run(options: argparse.Namespace, python: Path, config: Path, report: Path) -> None:
    marks = " and ".join(f"not {mark}" for mark in LEFT_OUT)
    command = [
        str(python),
        "-m",
        "pytest",
        "-p",
        "no:cacheprovider",
        "-p",
        "suite_marks",
        "-q",
        "--tb=short",
        "--no-summary",
    ]
    command += ["-n", options.workers, "-m", marks, f"--junitxml={report}", "s3tests/functional"]
    command += ["-k", options.only] if options.only else []
    environment = os.environ | {"S3TEST_CONF": str(config), "PYTHONPATH": str(Path(__file__).parent)}
    environment |= {"PYTHONDONTWRITEBYTECODE": "1", "AWS_CONFIG_FILE": os.devnull}
    subprocess.run(command, cwd=options.suite, env=environment, check=False)


def _outcomes(report: Path) -> Iterator[Outcome]:
    for case in ElementTree.parse(report).iter("testcase"):
        bad = case.find("failure") is not None or case.find("error") is not None
        result = "failed" if bad else "skipped" if case.find("skipped") is not None else "passed"
        marks = next((p.get("value", "") for p in case.iter("property") if p.get("name") == "marks"), "").split()
        file, name = case.get("classname", "").rpartition(".")[2], case.get("name", "")
        yield Outcome(f"{file}::{name}", _part_of(file, name, marks), result)


def _part_of(file: str, name: str, marks: Sequence[str]) -> str:
    if file != "test_s3":
        return file.removeprefix("test_")
    for part in PARTS:
        if part in marks:
            return part
    words = name.removeprefix("test_").split("_")
    return words[0] if words[0] in ("post", "multipart", "cors", "access", "ranged", "sse") else "_".join(words[:2])


def _print_parts(outcomes: Sequence[Outcome]) -> None:
    total, passed = Counter(o.part for o in outcomes), Counter(o.part for o in outcomes if o.result == "passed")
    shown = {part: part if total[part] > 3 else "others" for part in total}
    rows = Counter(shown[o.part] for o in outcomes)
    good = Counter(shown[o.part] for o in outcomes if o.result == "passed")
    for part, count in sorted(rows.items(), key=lambda row: -row[1]):
        print(f"{part:24} {good[part]:4} of {count}")
    skipped = sum(o.result == "skipped" for o in outcomes)
    print(f"{'all':24} {sum(passed.values()):4} of {len(outcomes)}, {skipped} skipped by the suite itself")


def _listed() -> dict[str, str]:
    """Test → why it fails, from the committed list."""
    reasons: dict[str, str] = {}
    heading = ""
    for line in LIST.read_text().splitlines() if LIST.exists() else ():
        if line.startswith("## "):
            heading = line[3:]
        elif match := re.match(r"- `(.+)`$", line):
            reasons[match[1]] = heading
    return reasons


def _print_differences(outcomes: Sequence[Outcome], known: dict[str, str]) -> int:
    """Gives how many fail that the list does not name."""
    new = sorted(o.name for o in outcomes if o.result == "failed" and o.name not in known)
    mended = sorted(o.name for o in outcomes if o.result == "passed" and o.name in known)
    for title, names in (("fails, and the list does not say so", new), ("passes, and the list says it fails", mended)):
        if names:
            print(f"{title}:", *names, sep="\n  ")
    return len(new)


def _write(outcomes: Sequence[Outcome], known: dict[str, str]) -> None:
    head = LIST.read_text().partition("\n## ")[0].rstrip() if LIST.exists() else "# What s3-tests find"
    passed = sum(o.result == "passed" for o in outcomes)
    head = re.sub(r"\*\*\d+ of \d+\*\*", f"**{passed} of {len(outcomes)}**", head)
    failing: dict[str, list[str]] = {}
    for outcome in outcomes:
        if outcome.result != "passed":
            reason = "Skipped by the suite" if outcome.result == "skipped" else known.get(outcome.name, UNEXPLAINED)
            failing.setdefault(reason, []).append(outcome.name)
    sections = [f"## {reason}\n\n" + "\n".join(f"- `{n}`" for n in sorted(names)) for reason, names in failing.items()]
    LIST.write_text(head + "\n\n" + "\n\n".join(sorted(sections)) + "\n")


if __name__ == "__main__":
    sys.exit(main())
