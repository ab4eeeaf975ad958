"""A job whose node goes in the middle of an upload of its checkpoint: on every engine the same, as its user sees it."""

from one_user import User, until

JOB = """\
  half:
    run: >-
      cd "$WEYR_CHECKPOINT_DIR"; echo "found" *; [ "$WEYR_ATTEMPT" = 1 ] || exit 0; echo 1 > one.tmp; mv one.tmp one;
      until [ -e {folder}/go ]; do sleep 0.05; done; head -c 400000000 /dev/zero > two.tmp; mv two.tmp two; sleep 60
    resources: {{cpu: 0.5, memory: 64MiB}}
    spot: true
    checkpoint: {{bucket: lake, every: 200ms}}
"""
"""To be formatted with the folder that the test may write into."""


def reclaim_amid_upload(user: User, bucket: str) -> None:
    """Takes the node away while the second checkpoint is on its way. The next attempt has the first, and it whole."""
    s3 = user.s3()

    def has_saved() -> bool:
        keys = [each["Key"] for each in s3.list_objects_v2(Bucket=bucket).get("Contents", ())]
        return any("half" in key and key.endswith("manifest.json") for key in keys)

    until(has_saved, "the first checkpoint to be whole")
    (user.folder / "go").touch()
    until(lambda: bool(s3.list_multipart_uploads(Bucket=bucket).get("Uploads")), "the second one to be on its way")
    # Asked of the server, for a command takes as long to begin as a quick disk to take the rest.
    ref = f"{user.row('job/half')['stack']}:job/half"
    user.api("POST", "/v1/chaos/reclaim", {"ref": ref, "notice_s": 0})
    user.until_phase("job/half", "done")
    assert "found one\n" in user.weyr("logs", "job/half").out
    assert any("reclaimed" in event["message"] for event in user.events("attempt.ended", "job/half"))
