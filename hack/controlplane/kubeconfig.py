"""Kubeconfig files. They are only ever written to a file of their own; nobody's current context is touched."""

import base64
from pathlib import Path

import yaml


def write(file: Path, *, server: str, token: str, authority: Path | None) -> Path:
    """Writes a kubeconfig with one user and one context; `authority` is the CA to trust, None for plain HTTP."""
    cluster = {"server": server}
    if authority is not None:  # inline: the file can be copied, and put into a Secret
        cluster["certificate-authority-data"] = base64.b64encode(authority.read_bytes()).decode()
    content = {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": "tidegate", "cluster": cluster}],
        "users": [{"name": "tidegate", "user": {"token": token}}],
        "contexts": [{"name": "tidegate", "context": {"cluster": "tidegate", "user": "tidegate"}}],
        "current-context": "tidegate",
    }
    file.touch(mode=0o600)
    file.write_text(yaml.safe_dump(content, sort_keys=False))
    return file
