import dataclasses
import tarfile
from datetime import timedelta
from pathlib import Path

import pytest

from hack.testbed.git_server import Manners, Service
from tidegate.adapters import git_objects
from tidegate.adapters.archive import Writing
from tidegate.adapters.git_auth import GitAuth
from tidegate.adapters.git_errors import (
    AuthenticationFailed,
    CorruptRepository,
    InvalidUrl,
)
from tidegate.adapters.git_remote import GitRemote, Selection

SOON = timedelta(seconds=20)
MAIN = "refs/heads/main"


async def fetch_main(remote: GitRemote) -> str:
    refs = await remote.list_refs(SOON, [MAIN])
    oid = refs.oids[MAIN]
    await remote.fetch(MAIN, oid, SOON)
    return oid


async def names_of(remote: GitRemote, oid: str, path: Path, selection: Selection | None = None) -> list[str]:
    await remote.write_archive(oid, path, Writing(spec_ignore=None), selection)
    with tarfile.open(path) as tar:
        return tar.getnames()


async def test_equal_addresses_and_credentials_are_one_repository(remotes):
    auth = GitAuth("user", "password")

    assert remotes.remote("https://host/a", auth) is remotes.remote("https://host/a", dataclasses.replace(auth))
    assert remotes.remote("https://host/a", auth) is not remotes.remote("https://host/a")
    assert remotes.remote("https://host/a") is not remotes.remote("https://host/b")


async def test_what_one_may_read_is_not_read_by_another_through_us(server, remotes):
    server.manners = Manners(basic=("user", "password"))
    oid = server.create("app").commit({"a": "1"})
    await remotes.remote(server.url("app"), GitAuth("user", "password")).fetch(MAIN, oid, SOON)

    stranger = remotes.remote(server.url("app"))
    with pytest.raises(CorruptRepository):
        await stranger.read_commit(oid)
    with pytest.raises(AuthenticationFailed):
        await stranger.fetch(MAIN, oid, SOON)


async def test_new_tokens_of_the_same_identity_keep_the_copy(server, remotes):
    server.manners = Manners(bearer="first")
    repo = server.create("app")
    repo.commit({"a": "1"})
    before = remotes.remote(server.url("app"), GitAuth(bearer_token="first", identity="default/secret"))
    oid = await fetch_main(before)
    server.manners = Manners(bearer="second")

    after = remotes.remote(server.url("app"), GitAuth(bearer_token="second", identity="default/secret"))
    server.requests.clear()

    assert after is before
    assert await fetch_main(after) == oid
    assert server.count(service=Service.FETCH) == 0


async def test_repositories_that_nobody_uses_are_removed(server, remotes, tmp_path):
    used = [(server.url("app"), GitAuth()), (server.url("other"), GitAuth())]
    for name in ("app", "other"):
        server.create(name).commit({"a": "1"})
        await fetch_main(remotes.remote(server.url(name)))
    (tmp_path / "git/left-by-another-process").mkdir()

    await remotes.collect(used[:1])

    assert len([path for path in (tmp_path / "git").iterdir() if path.is_dir()]) == 1
    server.requests.clear()
    await fetch_main(remotes.remote(server.url("app")))
    await fetch_main(remotes.remote(server.url("other")))
    assert server.count(service=Service.FETCH) == 1


async def test_names_of_directories_tell_nothing(server, remotes, tmp_path):
    server.manners = Manners(bearer="hunter2hunter2")
    server.create("app").commit({"a": "1"})
    await fetch_main(remotes.remote(server.url("app"), GitAuth(bearer_token="hunter2hunter2")))

    texts = [str(path) for path in (tmp_path / "git").rglob("*")]
    contents = [path.read_bytes() for path in (tmp_path / "git").rglob("*") if path.is_file()]
    assert not any("hunter2" in text or "app" in Path(text).name for text in texts)
    assert not any(b"hunter2" in content for content in contents)
    assert (tmp_path / "git/salt").stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize("url", ["ssh://git@host/a", "file:///a", "https://user:password@host/a"])
async def test_g5_addresses_of_other_kinds_are_refused(remotes, url):
    with pytest.raises(InvalidUrl):
        remotes.remote(url)


async def test_many_commits_do_not_pile_up(server, remotes, tmp_path, monkeypatch):
    monkeypatch.setattr(git_objects, "MOST_PACKS", 2)
    repo = server.create("app")
    repo.commit({"big": "x\n" * 20_000})
    remote = remotes.remote(server.url("app"))
    for at in range(4):
        await fetch_main(remote)
        repo.commit({"a": str(at)})
    oid = await fetch_main(remote)

    assert len(list((tmp_path / "git").rglob("*.pack"))) <= 3
    assert await names_of(remote, oid, tmp_path / "out") == [".", "a", "big"]
