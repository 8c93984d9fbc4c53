"""A desired object as it is sent, and a dry-run's answer as it is compared. No function changes what it is given."""

import base64
import binascii
import itertools
import ssl
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from tidegate_api.codec import JsonObject

_BEGIN, _END = b"-----BEGIN CERTIFICATE-----", b"-----END CERTIFICATE-----"
_MAX_BLOCKS = 64  # a bundle without a certificate among so many is none
_CA_BUNDLE = ("spec", "conversion", "webhook", "clientConfig")
_POD_TEMPLATE = ("spec", "template", "spec", "containers")


def normalize(obj: JsonObject) -> JsonObject:
    """`obj` without what the server writes, in the spelling that it keeps; shares unchanged parts with `obj`."""
    result: JsonObject = _edit(obj, ("metadata",), lambda metadata: _without(metadata, "creationTimestamp"))
    if not is_crd(obj):  # kstatus reads the status of a definition
        result = _without(result, "status")
    return _RULES.get((obj.get("apiVersion"), obj.get("kind")), _as_is)(result)


def dry_run(obj: JsonObject) -> JsonObject:
    """A dry-run's answer without known server bugs: API servers before 1.27 repeat and empty autoscaler metrics."""
    if obj.get("kind") != "HorizontalPodAutoscaler" or obj.get("apiVersion") != "autoscaling/v2":
        return obj
    return _at(("spec", "metrics"), _distinct_metrics)(obj)


def with_metadata(obj: JsonObject, labels: Mapping[str, str], annotations: Mapping[str, str]) -> JsonObject:
    """`obj` with these labels and annotations added; its own values of the same keys are replaced."""
    metadata = obj.get("metadata")
    metadata = dict(metadata) if isinstance(metadata, dict) else {}
    for field, texts in (("labels", labels), ("annotations", annotations)):
        if texts:
            present = metadata.get(field)
            metadata[field] = {**present, **texts} if isinstance(present, dict) else dict(texts)
    return {**obj, "metadata": metadata}


def is_crd(obj: JsonObject) -> bool:
    """Whether `obj` is a CustomResourceDefinition."""
    group, _, _ = str(obj.get("apiVersion")).partition("/")
    return obj.get("kind") == "CustomResourceDefinition" and group == "apiextensions.k8s.io"


def _as_is(obj: JsonObject) -> JsonObject:
    return obj


def _edit(value: Any, path: tuple[str, ...], change: Callable[[Any], Any]) -> Any:
    """`value` with what stands at `path` changed: copied along the path only, and not at all without a change."""
    if not path:
        return change(value)
    if not isinstance(value, dict) or path[0] not in value:
        return value
    child = value[path[0]]
    changed = _edit(child, path[1:], change)
    return value if changed is child else {**value, path[0]: changed}


def _without(value: Any, key: str) -> Any:
    if not isinstance(value, dict) or key not in value:
        return value
    return {name: item for name, item in value.items() if name != key}


def _each(change: Callable[[Any], Any]) -> Callable[[Any], Any]:
    def change_all(items: Any) -> Any:
        if not isinstance(items, list):
            return items
        changed = [change(item) for item in items]
        return items if all(new is old for new, old in zip(changed, items, strict=True)) else changed

    return change_all


def _with_protocol(port: Any) -> Any:
    return {**port, "protocol": "TCP"} if isinstance(port, dict) and not port.get("protocol") else port


def _at(path: tuple[str, ...], change: Callable[[Any], Any]) -> Callable[[JsonObject], JsonObject]:
    def rule(obj: JsonObject) -> JsonObject:
        edited: JsonObject = _edit(obj, path, change)
        return edited

    return rule


def _fold_string_data(secret: JsonObject) -> JsonObject:
    """`stringData` as base64 in `data`: the server never returns the former, so it would differ for ever."""
    texts, data = secret.get("stringData"), secret.get("data")
    if not isinstance(texts, dict | None) or not isinstance(data, dict | None):
        return secret
    if not all(isinstance(text, str | None) for text in (texts or {}).values()):
        return secret  # the server's refusal names the field
    encoded = {key: base64.b64encode((text or "").encode()).decode() for key, text in (texts or {}).items()}
    folded: JsonObject = _without(secret, "stringData")
    return {**folded, "data": {**(data or {}), **encoded}} if encoded else folded


def _drop_invalid_bundle(client_config: Any) -> Any:
    """Since 1.31 the server refuses a definition whose bundle holds no certificate, which is how injectors start."""
    bundle = client_config.get("caBundle") if isinstance(client_config, dict) else None
    if not isinstance(bundle, str) or not bundle or _holds_certificate(bundle):
        return client_config
    return _without(client_config, "caBundle")


def _holds_certificate(bundle: str) -> bool:
    try:
        pem = base64.b64decode(bundle.replace("\r", "").replace("\n", ""), validate=True)
    except (binascii.Error, ValueError):
        return False
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    return not pem or any(_is_certificate(context, block) for block in itertools.islice(_blocks(pem), _MAX_BLOCKS))


def _blocks(pem: bytes) -> Iterator[str]:
    begin = pem.find(_BEGIN)
    while begin >= 0:
        end = pem.find(_END, begin)
        if end < 0:
            return
        yield pem[begin : end + len(_END)].decode("ascii", "replace")
        begin = pem.find(_BEGIN, end)


def _is_certificate(context: ssl.SSLContext, block: str) -> bool:
    try:
        context.load_verify_locations(cadata=block)
    except (ssl.SSLError, ValueError):
        return False
    return True


def _distinct_metrics(metrics: Any) -> Any:
    if not isinstance(metrics, list):
        return metrics
    distinct: list[Any] = []
    for metric in metrics:
        if isinstance(metric, dict) and metric.get("type") and metric not in distinct:
            distinct.append(metric)
    return distinct


_containers = _each(lambda container: _edit(container, ("ports",), _each(_with_protocol)))
_pod_template = _at(_POD_TEMPLATE, _containers)
_definition = _at(_CA_BUNDLE, _drop_invalid_bundle)

_RULES: dict[tuple[Any, Any], Callable[[JsonObject], JsonObject]] = {
    ("v1", "Pod"): _at(("spec", "containers"), _containers),
    ("apps/v1", "Deployment"): _pod_template,
    ("apps/v1", "StatefulSet"): _pod_template,
    ("apps/v1", "DaemonSet"): _pod_template,
    ("apps/v1", "ReplicaSet"): _pod_template,
    ("batch/v1", "Job"): _pod_template,
    ("batch/v1", "CronJob"): _at(("spec", "jobTemplate", *_POD_TEMPLATE), _containers),
    ("v1", "Service"): _at(("spec", "ports"), _each(_with_protocol)),
    ("v1", "Secret"): _fold_string_data,
    ("apiextensions.k8s.io/v1", "CustomResourceDefinition"): _definition,
    ("apiextensions.k8s.io/v1beta1", "CustomResourceDefinition"): _definition,
}
