"""A stack's bucket with tiers of its own: to the place, on the bill by class, and away again with `weyr down`."""

import json
from pathlib import Path
from typing import Any

from one_user import User, until
from s3_plane import ADMIN, running_s3

STACK = """\
stack: tiered
secrets:
  id: {{}}
  key: {{}}
buckets:
  lake:
    tiers:
      glacier_ir:
        {{at: "s3://theirs/in/it?endpoint={url}", keys: {{access_key_id: secret/id, secret_access_key: secret/key}}}}
      standard_ia: {folder}
    lifecycle:
      - {{prefix: checkpoints/, move_after: 1s, to: standard_ia}}
"""
MB = 2**20


def test_a_buckets_tiers_come_up_take_objects_and_go(user: User, tmp_path: Path) -> None:
    """What a client puts into a class and what a rule moves lies at the tiers, counts there on the bill, outlives a
    kill of the plane, keeps its tier from going, and is gone from there after `weyr down`; the key is in one file."""
    with running_s3(tmp_path / "peer") as peer:
        peer.client().create_bucket(Bucket="theirs")
        text = STACK.format(url=peer.url, folder=tmp_path / "slow")
        user.write(text)
        assert "AWS bills each object for 90 days" in " ".join(user.weyr("plan").text.split())
        user.weyr("up", "--yes", "--detach")
        for name, value in (("id", ADMIN[0]), ("key", ADMIN[1])):
            user.weyr("secret", "set", f"tiered/{name}", stdin=f"{value}\n")
        until(lambda: user.row("bucket/lake").get("phase") == "ready", "the bucket with its tiers")

        s3 = user.s3()
        s3.put_object(Bucket="tiered-lake", Key="weights", Body=b"w" * MB, StorageClass="GLACIER_IR")
        s3.put_object(Bucket="tiered-lake", Key="checkpoints/1", Body=b"c" * MB)
        user.until_back("s3", user.kill("s3"))
        until(lambda: theirs(peer) and any((tmp_path / "slow").rglob("0")), "the objects at their tiers")
        user.look()
        until(lambda: user.row("bucket/lake")["outputs"].get("tier_glacier_ir"), "what the tier holds")
        s3 = user.s3()
        assert s3.get_object(Bucket="tiered-lake", Key="weights")["Body"].read() == b"w" * MB
        # The index says so once the object is there: it lies in both places for a moment.
        until(lambda: of_class(s3) == "STANDARD_IA", "the checkpoint to be where its rule says")
        user.look()
        until(lambda: {"storage.glacier_ir", "storage.standard_ia"} <= skus(user), "the bill by class")

        keys = user.home / "keys" / "places.json"
        opened = {"access_key_id": ADMIN[0], "secret_access_key": ADMIN[1]}
        assert json.loads(keys.read_text()) == {"tiered-lake.GLACIER_IR": opened}
        fewer = text.replace("move_after: 1s, to: standard_ia", "expire_after: 30d").splitlines(keepends=True)
        user.write(
            "".join(
                line
                for line in fewer
                if not any(word in line for word in ("tiers:", "glacier_ir:", "{at:", "standard_ia:"))
            )
        )
        refused = user.weyr("plan", status=None)
        assert refused.status != 0
        assert "still holds objects" in refused.text
        assert "glacier_ir" in refused.text

        user.weyr("down", "--yes")
        assert not theirs(peer)
        assert not [path for path in (tmp_path / "slow").rglob("*") if path.is_file()]
        assert json.loads(keys.read_text()) == {}
        secret = ADMIN[1].encode()
        assert not [path for path in user.home.rglob("*.log") if secret in path.read_bytes()]


def of_class(s3: Any) -> str:
    return str(s3.head_object(Bucket="tiered-lake", Key="checkpoints/1").get("StorageClass", ""))


def theirs(peer: Any) -> list[str]:
    return [entry["Key"] for entry in peer.client().list_objects_v2(Bucket="theirs").get("Contents", [])]


def skus(user: User) -> set[str]:
    return {row["key"] for row in user.asked("cost", "--by", "sku")["rows"]}
