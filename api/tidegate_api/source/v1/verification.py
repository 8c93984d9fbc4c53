"""How the signatures of what comes from a registry are checked."""

import enum
from typing import Annotated

from msgspec import field

from tidegate_api.codec import ApiStruct
from tidegate_api.meta.references import LocalObjectReference
from tidegate_api.schema import Schema


class VerificationProvider(enum.StrEnum):
    """Kinds of signatures."""

    COSIGN = "cosign"
    NOTATION = "notation"


class OidcIdentity(ApiStruct, kw_only=True):
    """A signer that is trusted."""

    issuer: str
    """Regular expression for who vouches for the signer."""

    subject: str
    """Regular expression for who the signer is."""


class Verification(ApiStruct, kw_only=True):
    """Which signatures have to be good, and by whose keys."""

    provider: Annotated[str, Schema(default="cosign", enum=tuple(VerificationProvider), required=True)] = "cosign"
    """Kind of the signatures."""

    secret_ref: LocalObjectReference | None = None
    """Secret with the trusted public keys or certificates; without one, signers are known by their identity."""

    match_oidc_identity: list[OidcIdentity] = field(default_factory=list, name="matchOIDCIdentity")
    """Identities of which one must have signed, where no key is given."""
