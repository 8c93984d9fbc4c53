"""A certificate authority of a test's own, made with the openssl command."""

import subprocess
from dataclasses import dataclass
from pathlib import Path

CURVE = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes")
DAYS = "7"


@dataclass(frozen=True)
class KeyPair:
    """A certificate and its private key, as PEM files."""

    certificate: Path
    key: Path


class Authority:
    """A private CA in a directory; it signs certificates for servers on loopback and for clients."""

    def __init__(self, directory: Path, name: str = "tidegate test authority") -> None:
        directory.mkdir(parents=True, exist_ok=True)
        self._directory = directory
        self._pair = KeyPair(directory / "ca.crt", directory / "ca.key")
        _openssl(
            "req", "-x509", *CURVE, "-days", DAYS, "-subj", f"/CN={name}",
            "-addext", "keyUsage=critical,keyCertSign,cRLSign", "-keyout", self._pair.key, "-out", self.certificate,
        )  # fmt: skip

    @property
    def certificate(self) -> Path:
        return self._pair.certificate

    def issue_server(self, name: str, hosts: tuple[str, ...] = ("localhost", "127.0.0.1")) -> KeyPair:
        """A certificate that a server can show under these host names and addresses."""
        alternatives = ",".join(f"IP:{host}" if host[0].isdigit() else f"DNS:{host}" for host in hosts)
        return self._issue(name, f"/CN={name}", f"extendedKeyUsage=serverAuth\nsubjectAltName={alternatives}\n")

    def issue_client(self, name: str, *groups: str) -> KeyPair:
        """A certificate that Kubernetes takes for this user in these groups."""
        subject = "".join(f"/O={group}" for group in groups) + f"/CN={name}"
        return self._issue(name, subject, "extendedKeyUsage=clientAuth\n")

    def _issue(self, name: str, subject: str, extensions: str) -> KeyPair:
        issued = KeyPair(self._directory / f"{name}.crt", self._directory / f"{name}.key")
        request, settings = self._directory / f"{name}.csr", self._directory / f"{name}.ext"
        settings.write_text("basicConstraints=CA:FALSE\n" + extensions)
        _openssl("req", "-new", *CURVE, "-subj", subject, "-keyout", issued.key, "-out", request)
        _openssl(
            "x509", "-req", "-in", request, "-CA", self.certificate, "-CAkey", self._pair.key, "-CAcreateserial",
            "-days", DAYS, "-extfile", settings, "-out", issued.certificate,
        )  # fmt: skip
        return issued


def signing_key(file: Path) -> Path:
    """Writes a private key, as service account tokens are signed with."""
    _openssl("ecparam", "-name", "prime256v1", "-genkey", "-noout", "-out", file)
    return file


def _openssl(*words: str | Path) -> None:
    subprocess.run(["openssl", *map(str, words)], check=True, capture_output=True, timeout=60)
