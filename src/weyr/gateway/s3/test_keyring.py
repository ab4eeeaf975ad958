"""The file of keys: private, whole, never made twice, and turned without losing a bucket."""

import json
from pathlib import Path

import pytest

from weyr.gateway.s3.keyring import BUCKET_KEY, Keyring, KeysUnusable, keyring_of, rotate
from weyr.gateway.s3.schema import opened
from weyr.gateway.s3.sealing import WrongKey, new_key


def bucket(folder: Path, name: str, kept: str) -> None:
    db = opened(folder / "index.db")
    settings = json.dumps({BUCKET_KEY: kept, "policy": "{}"})
    db.execute("INSERT INTO buckets (name, created_ms, owner, settings) VALUES (?, 0, 'me', ?)", (name, settings))
    db.close()


def kept_of(folder: Path, name: str) -> str:
    db = opened(folder / "index.db")
    text = db.execute("SELECT settings FROM buckets WHERE name = ?", (name,)).fetchone()[0]
    db.close()
    return str(json.loads(text)[BUCKET_KEY])


def test_keys_are_made_once(tmp_path: Path) -> None:
    """A restart finds what it made; a name that is given again keeps its key."""
    path = tmp_path / "keys.json"
    first = keyring_of(path, ["archive"], tmp_path)
    again = keyring_of(path, ["archive", "other"], tmp_path)
    assert path.stat().st_mode & 0o777 == 0o600
    assert again.named["archive"] == first.named["archive"]
    assert again.opened("lake", first.closed("lake", b"k" * 32))[1] == b"k" * 32
    assert keyring_of(path, [], tmp_path).named.keys() == {"archive", "other"}
    assert "k" * 8 not in repr(again)


def test_a_turn_loses_no_bucket(tmp_path: Path) -> None:
    """Afterwards the new key alone opens every bucket, and an old copy of the file opens none."""
    path = tmp_path / "keys.json"
    old, key = keyring_of(path, ["archive"], tmp_path), new_key()
    bucket(tmp_path, "lake", old.closed("lake", key))
    assert rotate(tmp_path, path) == 1

    new = keyring_of(path, [], tmp_path)
    assert new.opened("lake", kept_of(tmp_path, "lake"))[1] == key
    assert new.named == old.named
    with pytest.raises(WrongKey):
        old.opened("lake", kept_of(tmp_path, "lake"))
    with pytest.raises(WrongKey):
        new.opened("lake", old.closed("lake", key))


def test_a_turn_that_is_killed_leaves_both_keys(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The new key is on disk before the first bucket needs it, and the old one until none does."""
    path = tmp_path / "keys.json"
    old, key = keyring_of(path, [], tmp_path), new_key()
    bucket(tmp_path, "lake", old.closed("lake", key))

    def killed(self: Keyring) -> Keyring:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(Keyring, "shortened", killed)
        with pytest.raises(KeyboardInterrupt):
            rotate(tmp_path, path)
    assert keyring_of(path, [], tmp_path).opened("lake", kept_of(tmp_path, "lake"))[1] == key
    assert rotate(tmp_path, path) == 1
    assert keyring_of(path, [], tmp_path).opened("lake", kept_of(tmp_path, "lake"))[1] == key


def test_keys_that_cannot_be_trusted_are_refused(tmp_path: Path) -> None:
    """Open to others, changed, or gone while something needs them: the plane says so and does not begin anew."""
    path = tmp_path / "keys.json"
    keyring_of(path, [], tmp_path)
    whole = path.read_bytes()
    path.chmod(0o640)
    with pytest.raises(KeysUnusable, match="read by others"):
        keyring_of(path, [], tmp_path)
    path.chmod(0o600)
    path.write_bytes(whole.replace(b'"keys"', b'"kays"'))
    with pytest.raises(KeysUnusable, match="as Weyr writes it"):
        keyring_of(path, [], tmp_path)
    fields = json.loads(whole)
    fields["keys"] = dict.fromkeys(fields["keys"], "A" * 43 + "=")
    path.write_text(json.dumps(fields))
    with pytest.raises(KeysUnusable, match="was changed"):
        keyring_of(path, [], tmp_path)

    path.unlink()
    db = opened(tmp_path / "index.db")
    row = (
        1,
        "k",
        1,
        "null",
        0,
        1,
        "e",
        0,
        "i1:1",
        json.dumps({"encryption": ["AES256", "id", "…"]}, separators=(",", ":")),
    )
    db.execute("INSERT INTO objects VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, '')", row)
    db.close()
    with pytest.raises(KeysUnusable, match="is gone"):
        keyring_of(path, [], tmp_path)
