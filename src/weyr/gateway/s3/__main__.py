"""The S3 plane's process: `python -m weyr.gateway.s3 --data DIR --credentials FILE --audit FILE --control SOCKET …`."""

import argparse
import logging
import sys
from pathlib import Path

from weyr.gateway.credentials import Credentials
from weyr.gateway.s3.accounts import OneAccount
from weyr.gateway.s3.remote.reach import CACHE_BYTES, Reach
from weyr.gateway.s3.start import WORKERS_MAX, CannotStart, Settings, serve, usual_workers


def main(arguments: list[str] | None = None) -> int:
    """Runs until SIGTERM or SIGINT. Gives 0 after a clean stop, 1 where it could not start."""
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(message)s", stream=sys.stderr)
    options = _parser().parse_args(arguments)
    settings = Settings(
        data=options.data,
        audit=options.audit,
        host=options.host,
        port=options.port,
        control=options.control,
        info=options.info,
        keys=options.keys,
        named_keys=tuple(options.kms_key),
        sweep_every_s=options.sweep_every_s,
        scrub_every_s=options.scrub_every_s,
        day_s=options.day_s,
        webhooks=dict(text.split("=", 1) for text in options.webhook),
        replicas=dict(text.split("=", 1) for text in options.replica),
        reach=Reach(keys=options.remote_keys, cache_bytes=options.cache_bytes),
        workers=options.workers,
    )
    try:
        serve(settings, OneAccount(Credentials(options.credentials)), ready=lambda url: None)
    except CannotStart as e:
        print(f"error: The S3 plane cannot start\n  {e}", file=sys.stderr)
        return 1
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m weyr.gateway.s3", description="The S3 plane of weyr.")
    parser.add_argument("--data", type=Path, required=True, help="folder of the buckets' data")
    parser.add_argument("--credentials", type=Path, required=True, help="credentials.json: who may call")
    parser.add_argument("--audit", type=Path, required=True, help="file that refusals are appended to")
    parser.add_argument("--control", type=Path, required=True, help="Unix socket to be steered through")
    parser.add_argument("--info", type=Path, required=True, help="file to write pid, port and url to when ready")
    parser.add_argument("--keys", type=Path, help="file of the keys that encrypted buckets open with")
    parser.add_argument("--kms-key", action="append", default=[], help="name of a key that objects may ask for")
    parser.add_argument("--webhook", action="append", default=[], metavar="NAME=URL", help="whom buckets may tell")
    parser.add_argument("--replica", action="append", default=[], metavar="NAME=URL", help="where buckets can go too")
    parser.add_argument("--remote-keys", type=Path, help="file of the keys that open places elsewhere")
    parser.add_argument("--cache-bytes", type=int, default=CACHE_BYTES, help="how much of them is cached here")
    parser.add_argument("--host", default="127.0.0.1", help="address to listen on")
    parser.add_argument("--port", type=int, default=0, help="port to listen on; 0 takes a free one")
    parser.add_argument("--scrub-every-s", type=float, default=7 * 86_400.0, help="how often all blobs are read")
    parser.add_argument("--sweep-every-s", type=float, default=10.0, help="how often expired objects are looked for")
    parser.add_argument("--day-s", type=float, default=86_400.0, help="how long a day of a lifecycle rule lasts")
    parser.add_argument(
        "--workers",
        type=int,
        default=usual_workers(),
        choices=range(1, WORKERS_MAX + 1),
        metavar="N",
        help="processes that answer requests",
    )
    return parser


if __name__ == "__main__":
    sys.exit(main())
