"""Job as Flux reads it: it is well when it is done or suspended, not while it runs."""

from datetime import datetime

from tidegate.engine.health import status
from tidegate.engine.health.status import Health, Rule
from tidegate_api.codec import JsonObject


def job(obj: JsonObject, _now: datetime | None) -> Health:
    """Current when complete or suspended, Failed when failed; deletion and generation do not count."""
    if status.find(obj, ("spec", "suspend")) is True:
        return status.current("Job is suspended")
    parallelism = status.integer(obj, ("spec", "parallelism"), 1)
    completions = status.integer(obj, ("spec", "completions"), parallelism)
    succeeded, active, failures = (
        status.integer(obj, ("status", field), 0) for field in ("succeeded", "active", "failed")
    )
    for condition in status.conditions(obj):
        if condition.status != "True":
            continue
        if condition.type == "Complete":
            return status.current(f"Job Completed. succeeded: {succeeded}/{completions}")
        if condition.type == "Failed":
            return status.failed("JobFailed", f"Job Failed. failed: {failures}/{completions}")
    if not status.text(obj, ("status", "startTime"), ""):
        return status.in_progress("JobNotStarted", f"Job not started. active: 0/{parallelism}")
    message = f"Job in progress. success:{succeeded}, active: {active}, failed: {failures}"
    return status.in_progress("JobInProgress", message)


def may_be_gone(desired: JsonObject) -> bool:
    """Whether the absence of this object means that it is done: a Job that asks to be deleted after it finished."""
    return (
        desired.get("kind") == "Job"
        and str(desired.get("apiVersion")).startswith("batch/")
        and type(status.find(desired, ("spec", "ttlSecondsAfterFinished"))) is int
    )


RULES = {
    ("batch", "Job"): Rule(
        job,
        (
            ("spec", "suspend"),
            ("spec", "parallelism"),
            ("spec", "completions"),
            ("status", "succeeded"),
            ("status", "active"),
            ("status", "failed"),
            ("status", "startTime"),
        ),
        frozenset({"Complete", "Failed"}),
        generic_first=False,
    ),
}
