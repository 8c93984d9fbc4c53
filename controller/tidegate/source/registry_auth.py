"""The credentials for OCI registries, from the Secrets that a source names."""

import dataclasses
from collections.abc import Mapping

from tidegate.adapters.http_auth import Login
from tidegate.adapters.oci_auth import RegistryAuth
from tidegate.adapters.oci_errors import InvalidCredentials
from tidegate.adapters.oci_url import OciUrl
from tidegate.runtime.resources import SERVICE_ACCOUNTS
from tidegate.source import credentials
from tidegate.source.credentials import BadCredentials
from tidegate.source.pipeline import Pipeline
from tidegate_api.meta.objects import ObjectKey
from tidegate_api.meta.references import LocalObjectReference
from tidegate_api.source.v1.helm_repository import HelmRepository
from tidegate_api.source.v1.oci_repository import OCIRepository

DOCKER_CONFIG = ".dockerconfigjson"


async def read_of_repository(steps: Pipeline, repository: HelmRepository) -> RegistryAuth:
    """Of a HelmRepository: a user name and password, or a docker config. Raises: BadCredentials."""
    spec, namespace = repository.spec, repository.metadata.namespace
    secret = await _read(steps, namespace, spec.secret_ref)
    certificates = await _read(steps, namespace, spec.cert_secret_ref)
    if secret is not None and DOCKER_CONFIG in secret:
        login = _from_docker_config(secret, spec.url.removeprefix("oci://"), spec.secret_ref)
        return _with_certificates(login, credentials.read(None, certificates), insecure=spec.insecure)
    found = credentials.read(secret, certificates)
    login = RegistryAuth(username=found.username, password=found.password)
    return _with_certificates(login, found, insecure=spec.insecure)


async def read(steps: Pipeline, repository: OCIRepository, url: OciUrl) -> RegistryAuth:
    """Of an OCIRepository: docker configs of its Secret and of its service account. Raises: BadCredentials."""
    spec, namespace = repository.spec, repository.metadata.namespace
    references = [spec.secret_ref] if spec.secret_ref is not None else []
    if spec.service_account_name:
        references += await _pull_secrets(steps, ObjectKey(namespace, spec.service_account_name))
    login = RegistryAuth()
    for reference in references:
        secret = await steps.read_secret(ObjectKey(namespace, reference.name))
        login = _from_docker_config(secret, f"{url.host}/{url.path}", reference)
        if login != RegistryAuth():
            break
    certificates = await _read(steps, namespace, spec.cert_secret_ref)
    return _with_certificates(login, credentials.read(None, certificates), insecure=spec.insecure)


async def _read(steps: Pipeline, namespace: str, reference: LocalObjectReference | None) -> dict[str, bytes] | None:
    return await steps.read_secret(ObjectKey(namespace, reference.name)) if reference is not None else None


async def _pull_secrets(steps: Pipeline, key: ObjectKey) -> list[LocalObjectReference]:
    account = await steps.client.find(SERVICE_ACCOUNTS, key)
    if account is None:
        raise BadCredentials(f"failed to get service account '{key}': serviceaccounts \"{key.name}\" not found")
    return [LocalObjectReference(name=str(one.get("name"))) for one in account.get("imagePullSecrets") or []]


def _from_docker_config(
    secret: Mapping[str, bytes], location: str, reference: LocalObjectReference | None
) -> RegistryAuth:
    name = reference.name if reference is not None else ""
    if DOCKER_CONFIG not in secret:
        raise BadCredentials(f"invalid credentials in secret '{name}': no '{DOCKER_CONFIG}' key")
    try:
        return RegistryAuth.from_docker_config(secret[DOCKER_CONFIG], location)
    except InvalidCredentials as error:
        raise BadCredentials(f"invalid credentials in secret '{name}': {error}") from error


def _with_certificates(auth: RegistryAuth, found: Login, *, insecure: bool) -> RegistryAuth:
    return dataclasses.replace(auth, certificates=found.certificates, insecure=insecure)
