"""A stack's bucket by its name in the file: no keys, no address, nothing to set up."""

import os

from one_user import User


def test_files_go_into_the_stacks_bucket_by_its_name(user: User) -> None:
    """`weyr up`, and then `weyr cp` works; a name that is none is told with what there is."""
    user.write("stack: small\nbuckets:\n  lake: {}\n")
    user.weyr("up", "--yes")
    source, back = user.folder / "data", user.folder / "back"
    (source / "sub").mkdir(parents=True)
    (source / "sub" / "a.bin").write_bytes(os.urandom(100_000))

    user.weyr("sync", str(source), "lake:in/")
    user.weyr("cp", "-r", "lake:in/", str(back))

    assert (back / "sub" / "a.bin").read_bytes() == (source / "sub" / "a.bin").read_bytes()
    assert "sub/" in user.weyr("ls", "lake:in/").out
    assert "small-lake" in user.weyr("ls").out
    wrong = user.weyr("ls", "lak:", status=1)
    assert "No such bucket" in wrong.err
    assert "lake" in wrong.err
    (report,) = user.asked("bucket", "report", "lake", "--if", "prefix=in/ expire_after=1s")["buckets"]
    assert (report["bucket"], report["current"]["count"]) == ("small-lake", 1)
    user.weyr("rm", "-r", "lake:in/", "--yes")
    assert user.weyr("ls", "lake:in/", status=1).out == ""
