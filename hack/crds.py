"""CustomResourceDefinitions from the types of tidegate_api: `python -m hack.crds [--check]`.

A field's type gives its schema, `Schema` marks its constraints, the string below it its description; what has no
default is required.
"""

import ast
import functools
import inspect
import sys
import types
import typing
from collections.abc import Iterator
from datetime import datetime
from typing import Annotated, Any

import msgspec

from hack import generated
from hack.generated import FLUX_VERSION, ROOT, JsonObject
from tidegate_api.codec import ApiStruct, Duration
from tidegate_api.helm.v2.helm_release import HelmRelease
from tidegate_api.kustomize.v1.kustomization import Kustomization
from tidegate_api.meta.objects import ApiObject
from tidegate_api.schema import Column, Schema
from tidegate_api.source.v1.git_repository import GitRepository
from tidegate_api.source.v1.helm_chart import HelmChart
from tidegate_api.source.v1.helm_repository import HelmRepository
from tidegate_api.source.v1.oci_repository import OCIRepository

FOLDER = ROOT / "config/crd/bases"
# Each kind with the controller that reconciles it.
KINDS: dict[type[ApiObject], str] = {
    GitRepository: "source-controller",
    HelmChart: "source-controller",
    HelmRepository: "source-controller",
    OCIRepository: "source-controller",
    HelmRelease: "helm-controller",
    Kustomization: "kustomize-controller",
}
PRIMITIVES: dict[Any, JsonObject] = {
    Any: {"x-kubernetes-preserve-unknown-fields": True},
    bool: {"type": "boolean"},
    datetime: {"type": "string"},
    Duration: {"type": "string"},
    int: {"type": "integer", "format": "int64"},
    str: {"type": "string"},
}
OPENAPI_NAMES = {"max_length": "maxLength", "min_length": "minLength"}


def definition(kind: type[ApiObject], component: str) -> JsonObject:
    """The CustomResourceDefinition of `kind`, which the controller `component` reconciles."""
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {
            "name": f"{kind.PLURAL}.{kind.GROUP}",
            # The schema speaks of ${variables} in places: no Kustomization may substitute in it.
            "annotations": {"kustomize.toolkit.fluxcd.io/substitute": "disabled"},
            "labels": {
                "app.kubernetes.io/component": component,
                "app.kubernetes.io/managed-by": "tidegate",
                "app.kubernetes.io/part-of": "flux",
                "app.kubernetes.io/version": FLUX_VERSION,
            },
        },
        "spec": {
            "group": kind.GROUP,
            "names": _names(kind),
            "scope": "Namespaced" if kind.NAMESPACED else "Cluster",
            "versions": [_version(kind)],
        },
    }


def schema_of(hint: Any) -> JsonObject:
    """The OpenAPI schema of a type as it is annotated."""
    origin, arguments = typing.get_origin(hint), typing.get_args(hint)
    if origin is Annotated:
        schema = schema_of(arguments[0])
        for mark in arguments[1:]:
            schema |= _constraints(mark) if isinstance(mark, Schema) else {}
        # Go's plain int has no format in the schema, its int64 has.
        return {key: value for key, value in schema.items() if (key, value) != ("format", "")}
    if origin is types.UnionType or origin is typing.Union:
        return schema_of(next(member for member in arguments if member is not types.NoneType))
    if origin is list:
        return {"type": "array", "items": schema_of(arguments[0])}
    if origin is dict:
        return {"type": "object", "additionalProperties": schema_of(arguments[1])}
    return dict(PRIMITIVES[hint]) if hint in PRIMITIVES else _object_schema(hint)


def files() -> dict[str, str]:
    """File name -> content of everything in config/crd/bases."""
    return {
        f"{kind.GROUP}_{kind.PLURAL}.yaml": generated.dump("hack/crds.py", [definition(kind, component)])
        for kind, component in KINDS.items()
    }


def _names(kind: type[ApiObject]) -> JsonObject:
    names: JsonObject = {
        "categories": list(kind.CATEGORIES),
        "kind": kind.KIND,
        "listKind": f"{kind.KIND}List",
        "plural": kind.PLURAL,
        "shortNames": list(kind.SHORT_NAMES),
        "singular": kind.KIND.lower(),
    }
    return {key: value for key, value in names.items() if value}


def _version(kind: type[ApiObject]) -> JsonObject:
    schema = _object_schema(kind)
    schema["properties"] |= {
        "apiVersion": {"type": "string", "description": f"Group and version, {kind.API_VERSION}."},
        "kind": {"type": "string", "description": f"Name of the kind, {kind.KIND}."},
        "metadata": {"type": "object"},
    }
    return {
        "name": kind.VERSION,
        "served": True,
        "storage": True,
        "schema": {"openAPIV3Schema": schema},
        "subresources": {"status": {}},
        "additionalPrinterColumns": [_column(column) for column in kind.COLUMNS],
    }


def _column(column: Column) -> JsonObject:
    return {"name": column.name, "jsonPath": column.json_path, "type": column.type}


def _object_schema(struct: type[ApiStruct]) -> JsonObject:
    hints = typing.get_type_hints(struct, include_extras=True)
    descriptions = _descriptions(struct)
    fields = msgspec.structs.fields(struct)
    properties = {
        field.encode_name: schema_of(hints[field.name]) | {"description": descriptions[field.name]}
        for field in fields
        if field.name != "metadata" or not issubclass(struct, ApiObject)
    }
    schema: JsonObject = {"type": "object", "description": _text(struct.__doc__), "properties": properties}
    if required := [field.encode_name for field in fields if field.required or _is_marked(hints[field.name])]:
        schema["required"] = sorted(required)
    if struct.RULES:
        schema["x-kubernetes-validations"] = [{"rule": rule.rule, "message": rule.message} for rule in struct.RULES]
    return schema


def _is_marked(hint: Any) -> bool:
    return any(isinstance(mark, Schema) and mark.required for mark in getattr(hint, "__metadata__", ()))


def _constraints(mark: Schema) -> JsonObject:
    values = {name: getattr(mark, name) for name in Schema.__dataclass_fields__ if name != "required"}
    return {
        OPENAPI_NAMES.get(name, name): [str(item) for item in value] if name == "enum" else value
        for name, value in values.items()
        if value is not None
    }


def _descriptions(struct: type) -> dict[str, str]:
    """Field name -> the string below it, its own or inherited."""
    found: dict[str, str] = {}
    for base in reversed(struct.__mro__):
        if issubclass(base, ApiStruct):
            found |= dict(_field_strings(_class_node(base)))
    return found


def _field_strings(node: ast.ClassDef) -> Iterator[tuple[str, str]]:
    for statement, following in zip(node.body, node.body[1:], strict=False):
        match statement, following:
            case ast.AnnAssign(target=ast.Name(id=name)), ast.Expr(value=ast.Constant(value=str(text))):
                yield name, _text(text)


def _class_node(struct: type) -> ast.ClassDef:
    tree = _module_tree(sys.modules[struct.__module__])
    return next(node for node in tree.body if isinstance(node, ast.ClassDef) and node.name == struct.__name__)


@functools.cache
def _module_tree(module: types.ModuleType) -> ast.Module:
    return ast.parse(inspect.getsource(module))


def _text(doc: str | None) -> str:
    return " ".join((doc or "").split())


if __name__ == "__main__":
    sys.exit(generated.main(FOLDER, files()))
