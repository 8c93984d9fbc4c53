"""Which revision of a Git repository is wanted, and who we are to its server; decides, and asks nobody."""

from collections.abc import Mapping
from dataclasses import dataclass

from tidegate.adapters import versions
from tidegate.adapters.git_auth import GitAuth
from tidegate.adapters.git_refs import Refs
from tidegate.adapters.http_auth import Certificates
from tidegate.runtime.errors import TidegateError
from tidegate.source import credentials
from tidegate.source.credentials import BadCredentials
from tidegate_api.source.v1.git_repository import GitRepositoryRef, GitRepositorySpec

DEFAULT_BRANCH = "master"
HEADS = "refs/heads/"
TAGS = "refs/tags/"


class RefNotFound(TidegateError):
    """The repository has no such branch, tag, version or reference."""


@dataclass(frozen=True)
class Target:
    """What to fetch: a commit, the full name of the reference it was found at ("" for a bare commit), its revision."""

    oid: str
    ref_name: str
    revision: str


def unsupported(spec: GitRepositorySpec) -> list[str]:
    """Fields of the spec that this version would have to ignore: refusing beats pretending."""
    found = {
        "spec.verify": spec.verify is not None,
        "spec.recurseSubmodules": spec.recurse_submodules,
        "spec.include": bool(spec.include),
        "spec.sparseCheckout": bool(spec.sparse_checkout),
        "spec.proxySecretRef": spec.proxy_secret_ref is not None,
        f"spec.provider {spec.provider}": spec.provider not in ("", "generic"),
        "spec.url with ssh": spec.url.startswith("ssh://"),
    }
    return [field for field, is_set in found.items() if is_set]


def find_fixed(ref: GitRepositoryRef | None) -> Target | None:
    """The commit that `ref` names itself, for which no server has to be asked; None when it names none."""
    if ref is None or not ref.commit:
        return None
    if ref.branch:
        return Target(ref.commit, HEADS + ref.branch, f"{ref.branch}@sha1:{ref.commit}")
    return Target(ref.commit, "", f"sha1:{ref.commit}")


def select_target(ref: GitRepositoryRef | None, refs: Refs) -> Target:
    """The commit that `ref` means among what the server advertises; name > tag > semver > branch.

    Raises: RefNotFound, InvalidRange, NoMatchingVersion.
    """
    ref = ref or GitRepositoryRef()
    if ref.name:
        return _at(ref.name, ref.name, refs)
    if ref.tag:
        return _at(TAGS + ref.tag, ref.tag, refs)
    if ref.semver:
        return _version(ref.semver, refs)
    branch = ref.branch or DEFAULT_BRANCH
    return _at(HEADS + branch, branch, refs)


def read_auth(secret: Mapping[str, bytes], url: str) -> GitAuth:
    """The credentials in a Secret's decoded data (flux-v2-behaviour.md 1.12). Raises: BadCredentials."""
    values = {name: credentials.read_text(secret, name) for name in ("username", "password", "bearerToken")}
    if values["bearerToken"] and (values["username"] or values["password"]):
        raise BadCredentials("bearerToken cannot be combined with username and password")
    certificates = credentials.read_certificates(secret)
    if not any(values.values()) and certificates == Certificates():
        raise BadCredentials(f"no credentials for {url.partition(':')[0]} in the Secret")
    return GitAuth(
        username=values["username"],
        password=values["password"],
        bearer_token=values["bearerToken"],
        certificates=certificates,
    )


def _at(full_name: str, shown: str, refs: Refs) -> Target:
    commit = refs.find_commit(full_name)
    if commit is None:
        raise RefNotFound(f"couldn't find remote ref '{full_name}'")
    return Target(commit, full_name, f"{shown}@sha1:{commit}")


def _version(constraint: str, refs: Refs) -> Target:
    tags = [name.removeprefix(TAGS) for name in refs.oids if name.startswith(TAGS)]
    chosen = versions.select_version(constraint, tags)
    return _at(TAGS + chosen, chosen, refs)
