"""The artifact server: hands out artifacts by name. No listings, no links, no temporary files, no writes."""

from aiohttp import web

from tidegate.source.storage import Storage, StorageError

VIRTUAL = frozenset({"latest.tar.gz", "index.yaml"})
"""Names under which the newest artifact of an object is found, as behind the links that Flux keeps."""


def build(storage: Storage) -> web.Application:
    """GET and HEAD of an artifact path; GET / is an empty 200 for the readiness probe; everything else is a 404."""

    async def root(_request: web.Request) -> web.Response:
        return web.Response()

    async def artifact(request: web.Request) -> web.StreamResponse:
        # The raw path: what is percent-encoded is no artifact name.
        path = request.rel_url.raw_path.removeprefix("/")
        try:
            file = storage.locate(path)
            if file.name in VIRTUAL:
                file = storage.find_newest(path) or file
        except StorageError:
            raise web.HTTPNotFound from None
        if "%" in path or file.is_symlink() or not file.is_file():
            raise web.HTTPNotFound
        return web.FileResponse(file, headers={"Content-Type": _content_type(file.name)})

    app = web.Application()
    app.router.add_get("/", root)
    app.router.add_get("/{path:.+}", artifact)
    return app


def _content_type(name: str) -> str:
    return "application/gzip" if name.endswith(".tar.gz") else "application/octet-stream"
