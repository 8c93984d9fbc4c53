"""The files of the demo's repository. Pure: path -> content.

infrastructure/             plain YAML: a namespace, settings, a cache
apps/base/<application>/    a Deployment and a Service each
apps/production/            the overlay: which applications, which versions, how many
"""

from collections.abc import Mapping

Files = dict[str, str]

NAMESPACE = "shop"
IMAGES = "registry.example.com/shop"
OVERLAY = "apps/production/kustomization.yaml"
WEB_REPLICAS = 3

NAMESPACE_YAML = f"""apiVersion: v1
kind: Namespace
metadata:
  name: {NAMESPACE}
"""
SETTINGS_YAML = f"""apiVersion: v1
kind: ConfigMap
metadata:
  name: settings
  namespace: {NAMESPACE}
data:
  currency: EUR
  country: "NO"
"""
BUDGET_YAML = """apiVersion: policy/v1
kind: PodDisruptionBudget
metadata:
  name: {name}
spec:
  maxUnavailable: 1
  selector:
    matchLabels:
      app: {name}
"""
CONFIG_YAML = """apiVersion: v1
kind: ConfigMap
metadata:
  name: {name}
data:
  workers: "4"
"""
SERVICE_YAML = """apiVersion: v1
kind: Service
metadata:
  name: {name}
spec:
  selector:
    app: {name}
  ports:
    - name: http
      port: 80
      targetPort: http
"""


def infrastructure() -> Files:
    """What applications stand on; its cache takes a second to become ready."""
    cache = deployment(
        "cache", image="registry.example.com/cache:8.0.1", argument="--ready-after=1s", namespace=NAMESPACE
    )
    return {
        "infrastructure/namespace.yaml": NAMESPACE_YAML,
        "infrastructure/settings.yaml": SETTINGS_YAML,
        "infrastructure/cache.yaml": cache,
    }


def application(name: str, *, port: int = 8080, more: Mapping[str, str] | None = None) -> Files:
    """An application's base; `more` is further files beside Deployment and Service."""
    files = {
        "deployment.yaml": deployment(name, port=port),
        "service.yaml": SERVICE_YAML.format(name=name),
        **(more or {}),
    }
    listed = "".join(f"  - {file}\n" for file in files)
    files["kustomization.yaml"] = f"{_head()}resources:\n{listed}"
    return {f"{base(name)}/{file}": text for file, text in files.items()}


def orders() -> Files:
    """An application of six objects."""
    more = {
        "config.yaml": CONFIG_YAML.format(name="orders"),
        "worker.yaml": deployment("orders-worker"),
        "worker-config.yaml": CONFIG_YAML.format(name="orders-worker"),
        "budget.yaml": BUDGET_YAML.format(name="orders"),
    }
    return application("orders", more=more)


def overlay(versions: Mapping[str, str]) -> Files:
    """What runs in production: application -> version."""
    resources = "".join(f"  - ../base/{name}\n" for name in versions)
    images = "".join(f"  - name: {IMAGES}/{name}\n    newTag: {version}\n" for name, version in versions.items())
    text = f"{_head()}namespace: {NAMESPACE}\nresources:\n{resources}images:\n{images}"
    return {OVERLAY: f"{text}replicas:\n  - name: web\n    count: {WEB_REPLICAS}\n"}


def without_a_quote(files: Files, path: str) -> Files:
    """The file as somebody leaves it who was called away while typing."""
    return {path: files[path].replace("app: web\n", 'app: "web\n', 1)}


def base(name: str) -> str:
    """The directory of an application's base."""
    return f"apps/base/{name}"


def image(name: str, version: str) -> str:
    return f"{IMAGES}/{name}:{version}"


def deployment(name: str, *, image: str = "", port: int = 8080, argument: str = "", namespace: str = "") -> str:
    """A Deployment of one container."""
    where = f"  namespace: {namespace}\n" if namespace else ""
    args = f"          args: [{argument}]\n" if argument else ""
    return f"""apiVersion: apps/v1
kind: Deployment
metadata:
  name: {name}
{where}spec:
  selector:
    matchLabels:
      app: {name}
  template:
    metadata:
      labels:
        app: {name}
    spec:
      containers:
        - name: {name}
          image: {image or f"{IMAGES}/{name}"}
{args}          ports:
            - name: http
              containerPort: {port}
"""


def _head() -> str:
    return "apiVersion: kustomize.config.k8s.io/v1beta1\nkind: Kustomization\n"
