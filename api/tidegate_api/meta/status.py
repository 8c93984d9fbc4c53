"""What every kind that a controller reconciles reports about itself."""

from typing import Annotated

from msgspec import field

from tidegate_api.codec import ApiStruct
from tidegate_api.meta.conditions import Condition
from tidegate_api.meta.objects import ApiObject
from tidegate_api.schema import Schema


class ObjectStatus(ApiStruct, kw_only=True):
    """The observed state that all reconciled kinds share."""

    observed_generation: int = 0
    """Newest generation of the object that was dealt with to its end."""

    conditions: list[Condition] = field(default_factory=list)
    """How the object is doing; Ready sums it up."""

    last_handled_reconcile_at: str = ""
    """Newest value of the reconcile.fluxcd.io/requestedAt annotation that was acted upon."""


# What the API server puts where no status is: it tells tools that no controller has been here yet.
UNOBSERVED = Schema(default={"observedGeneration": -1})


class ReconciledObject(ApiObject, kw_only=True):
    """Base of the kinds that a controller reconciles."""

    status: Annotated[ObjectStatus, UNOBSERVED] = field(default_factory=ObjectStatus)
    """What the controller last saw and did."""
