"""What tests of Git repositories have in common: a fetched branch, and the names in its archive."""

import tarfile
from datetime import timedelta
from pathlib import Path

from tidegate.adapters.archive import Writing
from tidegate.adapters.git_remote import GitRemote, Selection

SOON = timedelta(seconds=20)
MAIN = "refs/heads/main"
OTHER = "0" * 39 + "1"


async def fetch_main(remote: GitRemote) -> str:
    """Fetch the branch main; its commit."""
    refs = await remote.list_refs(SOON, [MAIN])
    oid = refs.oids[MAIN]
    await remote.fetch(MAIN, oid, SOON)
    return oid


async def names_of(remote: GitRemote, oid: str, path: Path, selection: Selection | None = None) -> list[str]:
    """The names in the archive of a commit, which is written to `path`."""
    await remote.write_archive(oid, path, Writing(spec_ignore=None), selection)
    with tarfile.open(path) as tar:
        return tar.getnames()
