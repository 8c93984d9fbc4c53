"""The root of every error that Tidegate raises on purpose, and the API server's answers as classes.

TidegateError
├── ApiError                  the API server refused a request (status, reason, message)
│   ├── Unauthorized 401      ├── Forbidden 403       ├── NotFound 404
│   ├── Conflict 409 ── AlreadyExists                 ├── Expired 410
│   ├── Invalid 422           ├── TooManyRequests 429 └── ServerError 5xx
├── Unreachable               no answer at all: connection, TLS, time
└── InvalidObject             an object that does not fit its type
"""

from tidegate_api.codec import JsonObject


class TidegateError(Exception):
    """Anything that Tidegate itself reports as having gone wrong."""


class Unreachable(TidegateError):
    """The API server gave no answer; whether a write took effect is unknown."""


class InvalidObject(TidegateError):
    """An object as stored does not fit its type; the message names the field."""


class ApiError(TidegateError):
    """The API server answered with a failure; `status` is its Status object, `code` the HTTP status."""

    def __init__(self, code: int, status: JsonObject, retry_after: float | None = None) -> None:
        self.code = code
        self.status = status
        self.reason = str(status.get("reason") or "")
        self.message = str(status.get("message") or f"HTTP {code}")
        self.retry_after = retry_after
        super().__init__(self.message)


class Unauthorized(ApiError):
    """401: the credentials are not accepted."""


class Forbidden(ApiError):
    """403: the identity may not do this."""


class NotFound(ApiError):
    """404: no such object, or no such kind."""


class Conflict(ApiError):
    """409: the object is not as the request expected it."""


class AlreadyExists(Conflict):
    """409 to a create: the name is taken."""


class Expired(ApiError):
    """410: the resource version is too old; list again."""


class Invalid(ApiError):
    """422: the object breaks its schema or an admission rule."""


class TooManyRequests(ApiError):
    """429: slow down; `retry_after` says for how many seconds."""


class ServerError(ApiError):
    """5xx: the server, or something behind it, failed."""


_BY_CODE: dict[int, type[ApiError]] = {
    401: Unauthorized,
    403: Forbidden,
    404: NotFound,
    409: Conflict,
    410: Expired,
    422: Invalid,
    429: TooManyRequests,
}


def from_status(code: int, status: JsonObject, retry_after: float | None = None) -> ApiError:
    """The error for an HTTP failure `code` with the decoded Status body."""
    if code == 409 and status.get("reason") == "AlreadyExists":
        return AlreadyExists(code, status, retry_after)
    cls = _BY_CODE.get(code, ServerError if code >= 500 else ApiError)
    return cls(code, status, retry_after)
