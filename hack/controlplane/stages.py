"""What becomes of a pod on a machine without a kubelet, as kwok's Stage objects. The pod's spec tells; its name never.
Claims for volumes of the default class are bound at once, by kwok's own stages.

    restartPolicy Never, command ends in `exit N`     Succeeded for 0, else Failed with that exit code
    restartPolicy Never or OnFailure, anything else   Succeeded, also when no Job owns it (Helm's test and hook pods)
    … and the command begins with `sleep N`           the same, N seconds later
    other restart policies, command ends in `exit N`  Running and never ready: CrashLoopBackOff
    argument `--never-ready`                          Running, neither ready nor ended, ever
    argument `--never-pulled`                         Pending: ImagePullBackOff
    argument `--ready-after=2s`                       Running and ready after that time
    anything else                                     Running and ready at once: kwok's own stage

An `exit N` behind `||` or `&&` is a script's own business and not an outcome.
"""

from pathlib import Path
from typing import Any

import yaml

Stage = dict[str, Any]

KWOK_STAGES = ("node/fast", "node/heartbeat", "pod/fast", "volume/fast")

# jq: one string a container, as a shell would be given it; RE2: `exit N` as the last statement.
SCRIPTS = '[.spec.containers[] | (.command // []) + (.args // []) | join(" ")]'
WORDS = "[.spec.containers[] | (.command // [])[], (.args // [])[]]"
LAST_EXIT = "(^|[^|&[:space:]][[:space:]]+|;[[:space:]]*)exit[[:space:]]+{code}[[:space:]]*$"
FAILS = f'({SCRIPTS} | any(test("{LAST_EXIT.format(code="0*[1-9][0-9]*")}")))'
STUCK = f'({WORDS} | any(. == "--never-ready" or . == "--never-pulled"))'
READY_AFTER = f'{WORDS} | map(select(startswith("--ready-after=")) | ltrimstr("--ready-after=")) | first // empty'
SLEEPS = f'{SCRIPTS} | map(capture("(^|sh -e?c )sleep (?<n>[0-9.]+)") | .n + "s") | first // empty'

NOW = "{{ $now := Now }}"
EXIT_CODE = (
    '{{ $script := join " " (concat (.command | default list) (.args | default list)) }}'
    f'{{{{ $exit := regexFind "{LAST_EXIT.format(code="[0-9]+")}" $script }}}}'
    '{{ $code := regexFind "[0-9]+" $exit | default "0" | atoi }}'
)


def all_stages(kwok_stages: Path) -> list[Stage]:
    """kwok's own stages, from its module's directory, and ours, which go before them."""
    theirs = [stage for name in KWOK_STAGES for stage in _load(kwok_stages / name, "Stage")]
    ready = next(stage for stage in theirs if stage["metadata"]["name"] == "pod-ready")
    return [*theirs, _ends(), _crashes(), _never_ready(), _never_pulled(), _stays(), _ready_later(ready)]


def storage_class(kwok_stages: Path) -> dict[str, Any]:
    """The default StorageClass, whose volumes kwok plays."""
    return _load(kwok_stages / "volume/fast", "StorageClass")[0]


def _load(directory: Path, kind: str) -> list[dict[str, Any]]:
    found = [yaml.safe_load(file.read_text()) for file in sorted(directory.glob("*.yaml"))]
    return [document for document in found if document["kind"] == kind]


def _ends() -> Stage:
    runs_to_an_end = '(.spec.restartPolicy == "Never" or (.spec.restartPolicy == "OnFailure" and ({FAILS} | not)))'
    when = f'.status.phase == "Running" and {runs_to_an_end.format(FAILS=FAILS)} and ({STUCK} | not)'
    stage = _stage("pod-ends", when, weight=10, status=ENDED)
    stage["spec"]["delay"] = {"durationMilliseconds": 0, "durationFrom": {"expressionFrom": SLEEPS}}
    return stage


def _crashes() -> Stage:
    when = f'.status.phase == "Pending" and .spec.restartPolicy != "Never" and {FAILS} and ({STUCK} | not)'
    return _stage("pod-crashes", when, weight=10, status=CRASHING)


def _never_ready() -> Stage:
    when = f'.status.phase == "Pending" and ({WORDS} | any(. == "--never-ready"))'
    return _stage("pod-never-ready", when, weight=20, status=NOT_READY)


def _never_pulled() -> Stage:
    when = f'.status.containerStatuses == null and ({WORDS} | any(. == "--never-pulled"))'
    return _stage("pod-never-pulled", when, weight=20, status=NOT_PULLED)


def _stays() -> Stage:
    """Takes the pods that are where they shall stay away from every other stage."""
    crashing = f'(.spec.restartPolicy != "Never" and {FAILS})'
    when = f".status.containerStatuses != null and ({STUCK} or {crashing})"
    return _stage("pod-stays", when, weight=20, status=None)


def _ready_later(ready: Stage) -> Stage:
    when = f'.status.phase == "Pending" and ([{READY_AFTER}] | length > 0) and ({FAILS} | not) and ({STUCK} | not)'
    stage = _stage("pod-ready-later", when, weight=10, status=ready["spec"]["next"]["statusTemplate"])
    stage["spec"]["delay"] = {"durationMilliseconds": 0, "durationFrom": {"expressionFrom": READY_AFTER}}
    return stage


def _stage(name: str, when: str, *, weight: int, status: str | None) -> Stage:
    """A stage for pods that are not being deleted; kwok's have the weight 0, so that any of ours goes before them."""
    condition = f"(.metadata.deletionTimestamp == null) and {when}"
    return {
        "apiVersion": "kwok.x-k8s.io/v1alpha1",
        "kind": "Stage",
        "metadata": {"name": name},
        "spec": {
            "resourceRef": {"apiGroup": "v1", "kind": "Pod"},
            "selector": {"matchExpressions": [{"key": condition, "operator": "In", "values": ["true"]}]},
            "weight": weight,
            "next": {} if status is None else {"statusTemplate": status},
        },
    }


def _conditions(ready_reason: str) -> str:
    lines = ["conditions:"]
    for kind, status in (("Initialized", "True"), ("PodScheduled", "True"), ("Ready", ""), ("ContainersReady", "")):
        lines.append(f"- type: {kind}")
        lines.append("  lastTransitionTime: {{ $now | Quote }}")
        lines.append(f'  status: "{status or "False"}"')
        if not status:
            lines.append(f"  reason: {ready_reason}")
    return "\n".join(lines) + "\n"


def _containers(state: str, *, restarts: str = "0") -> str:
    lines = ["containerStatuses:", "{{ range .spec.containers }}", EXIT_CODE]
    lines += ["- image: {{ .image | Quote }}", "  name: {{ .name | Quote }}", "  imageID: ''"]
    lines += ["  ready: false", f"  restartCount: {restarts}"]
    lines += [f"  {line}" for line in state.strip().splitlines()]
    return "\n".join([*lines, "{{ end }}"]) + "\n"


TERMINATED = """
terminated:
  exitCode: {{ $code }}
  reason: {{ if eq $code 0 }}Completed{{ else }}Error{{ end }}
  startedAt: {{ $now | Quote }}
  finishedAt: {{ $now | Quote }}
""".strip()
INDENTED_TERMINATED = "\n".join(f"  {line}" for line in TERMINATED.splitlines())

ENDED = (
    NOW
    + "{{ $phase := `Succeeded` }}{{ $reason := `PodCompleted` }}"
    + "{{ range .spec.containers }}"
    + EXIT_CODE
    + "{{ if ne $code 0 }}{{ $phase = `Failed` }}{{ $reason = `PodFailed` }}{{ end }}{{ end }}\n"
    + _conditions("{{ $reason }}")
    + _containers(f"started: false\nstate:\n{INDENTED_TERMINATED}")
    + "phase: {{ $phase }}\n"
)

# A Job counts restarts against its backoffLimit (6 unless told otherwise): ten are enough for it to give up.
CRASHING = (
    f"{NOW}\n"
    + _conditions("ContainersNotReady")
    + "{{ $restarts := 1 }}{{ if eq .spec.restartPolicy `OnFailure` }}{{ $restarts = 10 }}{{ end }}\n"
    + _containers(
        f"""
started: false
lastState:
{INDENTED_TERMINATED}
state:
  waiting:
    reason: CrashLoopBackOff
    message: back-off restarting failed container {{{{ .name }}}}
""",
        restarts="{{ $restarts }}",
    )
    + "phase: Running\nstartTime: {{ $now | Quote }}\n"
)

NOT_READY = (
    f"{NOW}\n"
    + _conditions("ContainersNotReady")
    + _containers("started: true\nstate:\n  running:\n    startedAt: {{ $now | Quote }}")
    + "phase: Running\nstartTime: {{ $now | Quote }}\n"
)

NOT_PULLED = (
    f"{NOW}\n"
    + _conditions("ContainersNotReady")
    + _containers(
        """
started: false
state:
  waiting:
    reason: ImagePullBackOff
    message: Back-off pulling image {{ .image | Quote }}
"""
    )
    + "phase: Pending\nstartTime: {{ $now | Quote }}\n"
)
