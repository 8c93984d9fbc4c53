"""Whom a client trusts."""

import ssl

import pytest

from hack.controlplane.certificates import Authority
from tidegate.adapters.http_auth import Certificates


@pytest.mark.parametrize(("extends_system", "loads"), [(False, 0), (True, 1)])
def test_an_authority_stands_in_place_of_the_systems_or_beside_them(
    authority: Authority, monkeypatch: pytest.MonkeyPatch, *, extends_system: bool, loads: int
):
    loaded: list[object] = []
    monkeypatch.setattr(ssl.SSLContext, "load_default_certs", lambda *_args: loaded.append(1))

    context = Certificates(authority.certificate.read_bytes(), extends_system=extends_system).context()

    assert len(loaded) == loads
    assert len(context.get_ca_certs()) == 1
