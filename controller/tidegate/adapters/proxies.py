"""Which HTTP proxy the environment names for an address: HTTPS_PROXY, HTTP_PROXY and NO_PROXY as Go reads them."""

import ipaddress
from urllib.request import getproxies_environment

_Address = ipaddress.IPv4Address | ipaddress.IPv6Address


def find_proxy(scheme: str, host: str, port: int) -> str | None:
    """The address of the proxy for `scheme://host:port`, or None. This machine is never reached through one."""
    proxies = getproxies_environment()
    address = proxies.get(scheme)
    if not address or is_direct(host, port, proxies.get("no", "")):
        return None
    return address


def is_direct(host: str, port: int, exceptions: str) -> bool:
    """Whether NO_PROXY, a list of names, addresses, networks, each with or without a port, excepts `host`."""
    ip = _ip(host)
    if host == "localhost" or (ip is not None and ip.is_loopback):
        return True
    return any(_matches(entry.strip().lower(), host.lower(), ip, port) for entry in exceptions.split(","))


def _matches(entry: str, host: str, ip: _Address | None, port: int) -> bool:
    if entry in ("", "*"):
        return entry == "*"
    if "/" in entry:
        return ip is not None and _is_in(ip, entry)
    name, colon, wanted_port = entry.rpartition(":")
    if colon and wanted_port.isdigit() and (":" not in name or name.startswith("[")):
        if wanted_port != str(port):
            return False
        entry = name
    if ip is not None:
        return _ip(entry.strip("[]")) == ip
    # "example.com" is the host and all below it, ".example.com" only what is below.
    suffix = entry.removeprefix("*")
    return host.endswith(suffix) if suffix.startswith(".") else host == suffix or host.endswith(f".{suffix}")


def _is_in(ip: _Address, network: str) -> bool:
    try:
        return ip in ipaddress.ip_network(network, strict=False)
    except ValueError:
        return False


def _ip(text: str) -> _Address | None:
    try:
        return ipaddress.ip_address(text)
    except ValueError:
        return None
