"""Which verbs are there, and how is one run? The verbs by name, each loaded only when it is asked for.

`weyr --help` prints the sentences of the table below without loading the verbs they belong to; a
test holds the two together.
"""

import os
from importlib import import_module
from pathlib import Path

import typer
from typer import completion

from weyr.cli.boundary import guarded
from weyr.cli.group import COMPLETE, VerbTable, root_command

VERBS: VerbTable = {
    "Start": {
        "init": "Write a commented starter file.",
        "import": "Make a stack file of one that was written for another tool.",
        "up": "Bring a stack up and follow it until it stands.",
        "down": "Take a stack down until nothing of it is left.",
        "doctor": "Say what this machine can and cannot do.",
    },
    "Change": {
        "validate": "Check a stack file and list every problem in it.",
        "plan": "Show what would change and what it would cost.",
        "simulate": "Rehearse a stack in virtual time: what it costs, how well it serves, what is interrupted.",
        "apply": "Carry out a plan that was made before, or plan a stack and carry that out.",
        "secret": "Set, list and remove secrets.",
        "key": "Make, list, rotate and revoke API keys.",
        "team": "Say who is of which team, for budgets and bills.",
        "token": "Give people and programs a token, and say what it may do.",
        "dev": "List development sessions, or tell how to enter one.",
        "wake": "Start what its calendar or its idleness stopped.",
        "rollout": "Promote, abort, pause or resume a new version that is on its way.",
        "invoke": "Call a function and print its answer.",
        "model": "Make a smaller version of a model, and say what it costs.",
        "chaos": "Do to a running stack what clouds do to it.",
    },
    "Look": {
        "get": "List stacks and objects, or one object.",
        "describe": "Tell everything about one object.",
        "ab": "Compare the versions that answer an endpoint's requests.",
        "why": "Say what an object waits for, and what each node lacks.",
        "logs": "Show what an object's task printed.",
        "exec": "Run a command, or a shell, where a task runs.",
        "events": "Show what happened, oldest first.",
        "runs": "List training runs, or draw one.",
        "top": "Show rates, latencies, replicas and costs of endpoints, by version.",
        "metrics": "Set up Prometheus and Grafana for what Weyr measures.",
        "price": "Price what is written for another tool.",
        "cost": "Show what was spent, by whom, and what the month will come to.",
        "budgets": "Show the limits: what is spent, set aside and left of each, and where it will end.",
        "prices": "Find what machines and services cost, compare clouds, refresh the lists.",
        "audit": "Show who was refused what.",
        "explain": "Print the reference of a kind or of one of its fields.",
    },
    "Buckets": {
        "ls": "List buckets, or what is in one. It exits with 1 where there is nothing.",
        "cp": "Copy files into buckets, out of them and between them.",
        "sync": "Copy what differs between a folder and a bucket, or two buckets.",
        "rm": "Delete objects. In a bucket that keeps versions they can be had back.",
        "bucket": "Show what fills a bucket, and what a rule would save.",
    },
    "Run": {
        "s3": "Serve buckets over S3, without a stack.",
        "server": "Start, stop and inspect the server.",
        "login": "Speak with a server as the person whose token it is.",
        "logout": "Forget a token that was kept.",
        "env": "Print the variables that point other clients at this server.",
        "backup": "Copy the data folder into one file while everything runs.",
        "restore": "Make a new data folder from a backup.",
        "completion": "Set up completion for your shell.",
    },
}


def run(arguments: list[str]) -> int:
    """Runs one command line and gives its exit status; prints what the user should see."""
    if COMPLETE in os.environ:
        # Typer knows the shells only after this; it calls it itself only where it adds options of its own.
        completion.completion_init()  # type: ignore[attr-defined]
    front, rest = hoisted(arguments)
    return guarded(lambda: root_command(VERBS, load).main([*front, *rest], prog_name="weyr"), home_of(front))


def load(name: str) -> typer.Typer:
    """The Typer app of a verb: its module is named like it."""
    app = import_module(f"weyr.cli.verbs.{name}").app
    assert isinstance(app, typer.Typer)
    return app


def hoisted(arguments: list[str]) -> tuple[list[str], list[str]]:
    """The global options, wherever they stand on the line, and all the rest in order."""
    front: list[str] = []
    rest: list[str] = []
    remaining = list(arguments)
    while remaining:
        word = remaining.pop(0)
        if word == "--":
            rest += [word, *remaining]
            break
        if word == "--no-color" or word.startswith("--home="):
            front.append(word)
        elif word == "--home" and remaining:
            front += [word, remaining.pop(0)]
        else:
            rest.append(word)
    return front, rest


def home_of(front: list[str]) -> Path:
    """The data folder that hoisted options, the environment or custom name, in that order."""
    chosen = os.environ.get("WEYR_HOME", "")
    for index, word in enumerate(front):
        if word == "--home":
            chosen = front[index + 1]
        elif word.startswith("--home="):
            chosen = word.removeprefix("--home=")
    return Path(chosen or "~/.weyr").expanduser().absolute()
