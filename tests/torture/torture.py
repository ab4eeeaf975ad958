"""Plays the demo again and again and kills its processes at random moments of it.

python tests/torture/torture.py --moments 20            every victim at 20 moments
python tests/torture/torture.py --victim server         one victim
python tests/torture/torture.py --seed 17 --kills '[["server", "training", 2.5]]'   one play again
"""

import argparse
import json
import random
import signal
import sys
import time
import traceback
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1] / "e2e"))

from digits_play import Moment, Play, Stage, as_json, told
from user_life import a_user
from victims import Victim

KILLS_PER_PLAY = 8
PLAYS_MAX = 200


def main(arguments: Sequence[str] | None = None) -> int:
    """Gives 0 if every play ended as it should, and each victim was killed as often as was asked for."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--moments", type=int, default=20, help="how often each victim is killed")
    parser.add_argument("--victim", type=Victim, action="append", help="only this one; may be given again")
    parser.add_argument("--seed", type=int, default=0, help="of the first play; each further play has the next")
    parser.add_argument("--stretch", type=float, default=1.0, help="how much slower than a free machine this one is")
    parser.add_argument("--kills", default="", help="one play with these kills, as a failing play printed them")
    options = parser.parse_args(arguments)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))  # so that a play that is cut off leaves nothing running
    if options.kills:
        moments = [Moment(Stage[stage.upper()], after, Victim(who)) for who, stage, after in json.loads(options.kills)]
        return 0 if played(options.seed, moments, Counter()) else 1
    done: Counter[Victim] = Counter()
    failed = 0
    wanted = options.victim or list(Victim)
    for seed, moments in plays(options.seed, wanted, options.moments, done, options.stretch):
        failed += not played(seed, moments, done)
    print("\nkilled: " + ", ".join(f"{victim} {done[victim]}" for victim in wanted) + f"; {failed} plays failed")
    return 0 if not failed and all(done[victim] >= options.moments for victim in wanted) else 1


def plays(
    seed: int, wanted: Sequence[Victim], moments: int, done: Counter[Victim], stretch: float
) -> Iterator[tuple[int, list[Moment]]]:
    """Plays until every victim has been killed often enough; those that were killed least come first."""
    for number in range(seed, seed + PLAYS_MAX):
        left = sorted((v for v in wanted if done[v] < moments), key=lambda victim: done[victim])
        if not left:
            return
        yield number, drawn(number, left, stretch)


def drawn(seed: int, victims: Sequence[Victim], stretch: float, kills: int = KILLS_PER_PLAY) -> list[Moment]:
    """The kills of one play, by its seed."""
    chance = random.Random(seed)
    return sorted(Moment.draw(victims[i % len(victims)], chance, stretch) for i in range(kills))


def played(seed: int, moments: list[Moment], done: Counter[Victim]) -> bool:
    """Whether one play ended as it should; tells of it, and how to play it again where it did not."""
    began = time.monotonic()
    problems, play = outcome(seed, moments)
    done.update(killed.moment.victim for killed in play.killed)
    word = "ended as it should" if not problems else "FAILED"
    print(f"play {seed}: {word} after {time.monotonic() - began:.0f} s\n{told(play)}", flush=True)
    print(
        f"  objects: {play.writer.acknowledged} acknowledged, {play.writer.refused} not; "
        f"questions: {play.reader.answers} answered, {play.reader.failures} not",
        flush=True,
    )
    if problems:
        print("\n".join(f"  problem: {problem}" for problem in problems))
        print(f"  again: {again(seed, moments)}", flush=True)
    return not problems


def outcome(seed: int, moments: list[Moment]) -> tuple[list[str], Play]:
    """Everything that went wrong in one play, and the play."""
    play: Play | None = None
    try:
        with a_user("t-") as user:
            play = Play(user, moments, seed)
            play.perform()
            return play.problems, play
    except Exception as e:  # noqa: BLE001 - whatever stopped the play is its finding
        assert play is not None, "the user could not even begin"
        return [*play.problems, "".join(traceback.format_exception(e))], play


def again(seed: int, moments: list[Moment]) -> str:
    """The command that plays it again."""
    return f"{Path(sys.executable).name} tests/torture/torture.py --seed {seed} --kills '{as_json(moments)}'"


if __name__ == "__main__":
    sys.exit(main())
