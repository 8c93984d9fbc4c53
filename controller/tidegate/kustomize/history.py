"""status.history: the outcomes of past attempts, newest first, equal ones counted together."""

from datetime import datetime, timedelta

import msgspec

from tidegate_api.codec import Duration
from tidegate_api.kustomize.v1.kustomization import Snapshot

KEPT = 5
# A key of our own in Flux's free map: what the attempt was made from (DESIGN §5). Flux keeps and ignores it.
INPUTS = "tidegate.dev/inputs"


def record(history: list[Snapshot], new: Snapshot) -> list[Snapshot]:
    """`history` with `new` at its front; an earlier entry of the same digest and status is counted into it."""
    same = next((old for old in history if _key(old) == _key(new)), None)
    if same is not None:
        total = same.total_reconciliations + 1
        new = msgspec.structs.replace(new, first_reconciled=same.first_reconciled, total_reconciliations=total)
    return [new, *(old for old in history if old is not same)][:KEPT]


def snapshot(digest: str, status: str, at: datetime, lasted: timedelta, metadata: dict[str, str]) -> Snapshot:
    """One outcome: `digest` of what was built, `status` the reason it ended with."""
    return Snapshot(
        digest=digest,
        first_reconciled=at,
        last_reconciled=at,
        last_reconciled_duration=Duration.of(timedelta(milliseconds=round(lasted / timedelta(milliseconds=1)))),
        last_reconciled_status=status,
        total_reconciliations=1,
        metadata={key: value for key, value in metadata.items() if value},
    )


def last_inputs(history: list[Snapshot]) -> str:
    """The inputs of the newest attempt on record; "" when Flux or nobody made it."""
    return history[0].metadata.get(INPUTS, "") if history else ""


def _key(entry: Snapshot) -> tuple[str, str]:
    return entry.digest, entry.last_reconciled_status
