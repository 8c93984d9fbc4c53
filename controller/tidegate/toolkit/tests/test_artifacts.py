"""What source-controller serves: fetched once, verified before anybody sees it, and nothing left behind."""

import asyncio
import hashlib
import io
import tarfile
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from aiohttp import web

from tidegate.runtime import clock
from tidegate.runtime.controller import Superseded
from tidegate.runtime.testing import loop as loops
from tidegate.toolkit import artifacts as module
from tidegate.toolkit.artifacts import ArtifactError, ArtifactNotFound, Artifacts
from tidegate_api.meta.artifact import Artifact


def an_archive(**files: str) -> bytes:
    """A tar.gz of these files."""
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w:gz") as tar:
        for name, text in files.items():
            entry = tarfile.TarInfo(name)
            entry.size = len(text)
            tar.addfile(entry, io.BytesIO(text.encode()))
    return packed.getvalue()


class Source:
    """An artifact server: what it has, what it was asked for, and how it fails (`statuses`, in turn)."""

    def __init__(self) -> None:
        self.files: dict[str, bytes] = {}
        self.asked: list[str] = []
        self.statuses: list[int] = []
        self.cut = 0
        self.go_on = asyncio.Event()
        self.go_on.set()
        self.url = ""

    async def answer(self, request: web.Request) -> web.StreamResponse:
        self.asked.append(request.path)
        await self.go_on.wait()
        if self.statuses:
            return web.Response(status=self.statuses.pop(0))
        body = self.files.get(request.path)
        if body is None:
            return web.Response(status=404)
        if not self.cut:
            return web.Response(body=body, content_type="application/gzip")
        self.cut -= 1
        response = web.StreamResponse(headers={"Content-Length": str(len(body))})
        await response.prepare(request)
        await response.write(body[:10])
        assert request.transport is not None
        request.transport.abort()
        return response

    def publish(self, name: str, body: bytes, **changes: object) -> Artifact:
        """Serve `body` and say what a status would say of it."""
        self.files[f"/{name}"] = body
        facts = {
            "path": name,
            "url": f"{self.url}/{name}",
            "revision": "main@sha1:1",
            "digest": f"sha256:{hashlib.sha256(body).hexdigest()}",
            "size": len(body),
            "last_update_time": clock.utc_now(),
        }
        return Artifact(**{**facts, **changes})  # type: ignore[arg-type]


@pytest.fixture
async def source() -> AsyncIterator[Source]:
    source = Source()
    app = web.Application()
    app.router.add_get("/{name:.*}", source.answer)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    source.url = "http://{}:{}".format(*runner.addresses[0])
    yield source
    source.go_on.set()
    await runner.cleanup()


@pytest.fixture
async def artifacts() -> AsyncIterator[Artifacts]:
    async with Artifacts(retries=3) as artifacts:
        yield artifacts


@pytest.fixture
def touched() -> asyncio.Event:
    return asyncio.Event()


async def fetch(artifacts: Artifacts, artifact: Artifact, touched: asyncio.Event | None = None) -> dict[str, str]:
    """The artifact's files by name."""
    async with artifacts.unpacked(artifact, touched or asyncio.Event()) as directory:
        return {path.name: path.read_text() for path in directory.iterdir()}


def left(artifacts: Artifacts) -> list[str]:
    """What is on disk, in short: `packed` archives and unpacked `tree`s."""
    return sorted(path.name.partition("-")[0] for path in Path(artifacts._root).iterdir())


async def test_artifact_is_a_directory_while_the_block_lasts(artifacts: Artifacts, source: Source):
    artifact = source.publish("a.tar.gz", an_archive(one="1", two="2"))
    async with artifacts.unpacked(artifact, asyncio.Event()) as directory:
        assert {path.name: path.read_text() for path in directory.iterdir()} == {"one": "1", "two": "2"}
        (directory / "more").write_text("ours to write")

    assert not directory.exists()
    assert left(artifacts) == ["packed"]


@pytest.mark.parametrize("algorithm", ["sha256", "sha384", "sha512"])
async def test_digest_may_be_of_several_algorithms(artifacts: Artifacts, source: Source, algorithm: str):
    body = an_archive(one="1")
    digest = f"{algorithm}:{hashlib.new(algorithm, body).hexdigest()}"

    assert await fetch(artifacts, source.publish("a.tar.gz", body, digest=digest)) == {"one": "1"}


async def test_l6_same_digest_is_fetched_once_whoever_asks(artifacts: Artifacts, source: Source):
    body = an_archive(one="1")
    one, other = source.publish("a.tar.gz", body), source.publish("b.tar.gz", body)
    source.go_on.clear()
    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(fetch(artifacts, artifact)) for artifact in (one, one, other)]
        await loops.until(lambda: source.asked)
        await loops.settle()
        source.go_on.set()
    await fetch(artifacts, other)

    assert [task.result() for task in tasks] == [{"one": "1"}] * 3
    assert len(source.asked) == 1


async def test_l6_readers_of_one_artifact_do_not_see_each_other(artifacts: Artifacts, source: Source):
    artifact = source.publish("a.tar.gz", an_archive(one="1"))
    async with artifacts.unpacked(artifact, asyncio.Event()) as first:
        (first / "one").unlink()
        async with artifacts.unpacked(artifact, asyncio.Event()) as second:
            assert (second / "one").exists()


async def test_p9_cancelled_fetch_leaves_the_others_theirs(artifacts: Artifacts, source: Source):
    artifact = source.publish("a.tar.gz", an_archive(one="1"))
    source.go_on.clear()
    async with asyncio.TaskGroup() as group:
        first, second = (group.create_task(fetch(artifacts, artifact)) for _ in range(2))
        await loops.until(lambda: source.asked)
        first.cancel()
        await loops.settle()
        source.go_on.set()

    assert second.result() == {"one": "1"}
    assert left(artifacts) == ["packed"]


async def test_n12_artifact_that_is_not_what_its_digest_says_is_refused(artifacts: Artifacts, source: Source):
    artifact = source.publish("a.tar.gz", an_archive(one="1"), digest="sha256:" + "0" * 64)

    with pytest.raises(ArtifactError, match="computed digest doesn't match 'sha256:000"):
        await fetch(artifacts, artifact)

    assert left(artifacts) == []
    assert len(source.asked) == 1


@pytest.mark.parametrize("digest", ["md5:0", "shake_128:0", "", "SHA256:0", "blake2b:0"])
async def test_n12_other_algorithms_are_refused_unasked(artifacts: Artifacts, source: Source, digest: str):
    with pytest.raises(ArtifactError, match="unsupported digest algorithm"):
        await fetch(artifacts, source.publish("a.tar.gz", an_archive(one="1"), digest=digest))


async def test_n12_artifact_larger_than_it_is_said_to_be_is_cut_off(artifacts: Artifacts, source: Source):
    with pytest.raises(ArtifactError, match="more than 5 bytes"):
        await fetch(artifacts, source.publish("a.tar.gz", an_archive(one="1"), size=5))

    assert left(artifacts) == []


async def test_artifact_of_unknown_size_is_fetched(artifacts: Artifacts, source: Source):
    assert await fetch(artifacts, source.publish("a.tar.gz", an_archive(one="1"), size=0)) == {"one": "1"}


async def test_f38_missing_artifact_is_something_to_wait_for(artifacts: Artifacts, source: Source):
    artifact = source.publish("a.tar.gz", an_archive(one="1"))
    body = source.files.pop("/a.tar.gz")
    with pytest.raises(ArtifactNotFound):
        await fetch(artifacts, artifact)
    assert len(source.asked) == 1

    source.files["/a.tar.gz"] = body
    assert await fetch(artifacts, artifact) == {"one": "1"}


async def hurried(artifacts: Artifacts, artifact: Artifact) -> dict[str, str]:
    """Fetches, with the waits between tries passing quickly."""
    async with asyncio.TaskGroup() as group:
        task = group.create_task(fetch(artifacts, artifact))
        await loops.hurry(task.done)
    return task.result()


async def failed(artifacts: Artifacts, artifact: Artifact) -> ArtifactError:
    with pytest.raises(ArtifactError) as caught:
        await fetch(artifacts, artifact)
    return caught.value


async def hurried_failure(artifacts: Artifacts, artifact: Artifact) -> ArtifactError:
    async with asyncio.TaskGroup() as group:
        task = group.create_task(failed(artifacts, artifact))
        await loops.hurry(task.done)
    return task.result()


@pytest.mark.parametrize("statuses", [[500, 503], [429], [502]])
async def test_f38_server_that_is_ill_is_asked_again(artifacts: Artifacts, source: Source, statuses: list[int]):
    artifact = source.publish("a.tar.gz", an_archive(one="1"))
    source.statuses = statuses.copy()

    assert await hurried(artifacts, artifact) == {"one": "1"}
    assert len(source.asked) == len(statuses) + 1


async def test_f38_server_that_stays_ill_is_given_up(artifacts: Artifacts, source: Source):
    artifact = source.publish("a.tar.gz", an_archive(one="1"))
    source.statuses = [500] * 10

    assert "HTTP 500" in str(await hurried_failure(artifacts, artifact))
    assert len(source.asked) == 4


@pytest.mark.parametrize("status", [301, 400, 401, 403])
async def test_answer_that_will_not_change_is_final(artifacts: Artifacts, source: Source, status: int):
    artifact = source.publish("a.tar.gz", an_archive(one="1"))
    source.statuses = [status]

    assert f"(status: {status} " in str(await failed(artifacts, artifact))
    assert len(source.asked) == 1


async def test_f34_reset_in_the_middle_is_tried_again_and_leaves_nothing(artifacts: Artifacts, source: Source):
    artifact = source.publish("a.tar.gz", an_archive(one="1"))
    source.cut = 2

    assert await hurried(artifacts, artifact) == {"one": "1"}
    assert left(artifacts) == ["packed"]


async def test_f41_wait_for_a_server_ends_when_another_artifact_may_be_wanted(
    artifacts: Artifacts, source: Source, touched: asyncio.Event
):
    artifact = source.publish("a.tar.gz", an_archive(one="1"))
    source.statuses = [500]
    touched.set()

    with pytest.raises(Superseded):
        await fetch(artifacts, artifact, touched)


@pytest.mark.parametrize(
    "url", ["", "a.tar.gz", "file:///etc/passwd", "ftp://x/a", "http://", "http://[", "gopher://x"]
)
async def test_n12_url_of_no_use_is_refused_at_once(artifacts: Artifacts, source: Source, url: str):
    await failed(artifacts, source.publish("a.tar.gz", an_archive(one="1"), url=url))

    assert source.asked == []


@pytest.mark.parametrize("body", [b"", b"no archive", an_archive(one="1")[:-9]], ids=["empty", "text", "torn"])
async def test_o7_archive_that_is_none_is_refused(artifacts: Artifacts, source: Source, body: bytes):
    with pytest.raises(ArtifactError, match="failed to untar artifact"):
        await fetch(artifacts, source.publish("a.tar.gz", body))

    assert left(artifacts) == ["packed"]


async def test_promise_6_disk_holds_no_more_than_the_bound_and_the_newest(
    artifacts: Artifacts, source: Source, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(module, "KEPT_BYTES", 1)
    published = [source.publish(f"{number}.tar.gz", an_archive(one=str(number))) for number in range(3)]
    for artifact in published:
        await fetch(artifacts, artifact)
    assert left(artifacts) == ["packed"]

    await fetch(artifacts, published[2])
    await fetch(artifacts, published[0])

    assert len(source.asked) == 4


async def test_archive_stays_while_somebody_reads_it(
    artifacts: Artifacts, source: Source, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(module, "KEPT_BYTES", 1)
    one, other = (source.publish(name, an_archive(one=name)) for name in ("one.tar.gz", "other.tar.gz"))
    async with artifacts._packed(one, asyncio.Event()) as packed:
        await fetch(artifacts, other)
        assert packed.exists()

    await fetch(artifacts, other)
    assert not packed.exists()


async def test_nothing_is_known_of_who_has_left(artifacts: Artifacts, source: Source):
    await fetch(artifacts, source.publish("a.tar.gz", an_archive(one="1")))
    await failed(artifacts, source.publish("b.tar.gz", b"x", digest="sha256:0"))

    assert not artifacts._locks
    assert not artifacts._users


async def test_p9_end_removes_everything(source: Source):
    async with Artifacts() as artifacts:
        await fetch(artifacts, source.publish("a.tar.gz", an_archive(one="1")))
        assert left(artifacts) == ["packed"]

    with pytest.raises(FileNotFoundError):
        left(artifacts)


async def test_host_can_be_another_outside_the_cluster(
    artifacts: Artifacts, source: Source, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setenv("SOURCE_CONTROLLER_LOCALHOST", source.url.removeprefix("http://"))
    artifact = source.publish("a.tar.gz", an_archive(one="1"), url="http://source-controller.flux-system.svc/a.tar.gz")

    assert await fetch(artifacts, artifact) == {"one": "1"}
