"""A stack whose buckets are elsewhere: jobs and checkpoints as on any bucket, and the place is not ours to clear."""

import json
from pathlib import Path

from one_user import User, until
from s3_plane import ADMIN, running_s3

STACK = """\
stack: away
secrets:
  id: {{}}
  key: {{}}
buckets:
  far:
    url: s3://theirs/in/it?endpoint={url}
    keys: {{access_key_id: secret/id, secret_access_key: secret/key}}
  near:
    url: file://{folder}
jobs:
  count:
    run: sh count.sh
    spot: true
    checkpoint: {{bucket: far, every: 200ms}}
    writes: [near]
"""
COUNT = """\
for saved in "$WEYR_CHECKPOINT_DIR"/*; do
    [ -e "$saved" ] && echo "resumed at $(cat "$saved")"
done
echo 7 >"$WEYR_CHECKPOINT_DIR/.count.tmp"
mv "$WEYR_CHECKPOINT_DIR/.count.tmp" "$WEYR_CHECKPOINT_DIR/count"
while [ ! -e finish ]; do sleep 0.2; done
"""


def test_jobs_checkpoint_to_a_bucket_that_is_elsewhere(user: User, tmp_path: Path) -> None:
    """Saved there, resumed from there; the keys are in no file but one, and `weyr down` leaves the place alone."""
    with running_s3(tmp_path / "peer") as peer:
        peer.client().create_bucket(Bucket="theirs")
        user.write(COUNT, "count.sh")
        user.write(STACK.format(url=peer.url, folder=tmp_path / "folder"))
        user.weyr("up", "--yes", "--detach")
        for name, value in (("id", ADMIN[0]), ("key", ADMIN[1])):
            user.weyr("secret", "set", f"away/{name}", stdin=f"{value}\n")
        until(lambda: user.row("job/count")["outputs"].get("saved"), "a checkpoint there")

        theirs = [entry["Key"] for entry in peer.client().list_objects_v2(Bucket="theirs")["Contents"]]
        assert all(key.startswith("in/it/") for key in theirs)
        assert any("count" in key for key in theirs)
        keys = user.home / "keys" / "places.json"
        assert keys.stat().st_mode & 0o777 == 0o600
        assert json.loads(keys.read_text()) == {"away-far": {"access_key_id": ADMIN[0], "secret_access_key": ADMIN[1]}}
        user.s3().put_object(Bucket="away-near", Key="a/b", Body=b"plain")
        assert (tmp_path / "folder" / "a" / "b").read_bytes() == b"plain"

        user.weyr("chaos", "reclaim", "job/count", "--notice", "1s")
        until(lambda: "resumed at 7" in user.weyr("logs", "job/count", status=None).out, "the next attempt")
        user.weyr("down", "--yes")
        assert peer.client().list_objects_v2(Bucket="theirs")["KeyCount"] > 0
        assert (tmp_path / "folder" / "a" / "b").read_bytes() == b"plain"
        assert json.loads(keys.read_text()) == {}
