"""A condition: one thing that is, is not, or may be true of an object."""

import enum
from typing import Annotated

from tidegate_api.codec import ApiStruct, Time
from tidegate_api.schema import Schema


class ConditionStatus(enum.StrEnum):
    """Whether a condition holds."""

    TRUE = "True"
    FALSE = "False"
    UNKNOWN = "Unknown"


TYPE_PATTERN = (
    r"^([a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*/)?(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])$"
)


class Condition(ApiStruct, kw_only=True):
    """One observation about the object's state."""

    type: Annotated[str, Schema(max_length=316, pattern=TYPE_PATTERN)]
    """What is observed, in CamelCase."""

    status: Annotated[str, Schema(enum=tuple(ConditionStatus))]
    """Whether it holds: True, False or Unknown."""

    reason: Annotated[str, Schema(min_length=1, max_length=1024, pattern=r"^[A-Za-z]([A-Za-z0-9_,:]*[A-Za-z0-9_])?$")]
    """Why, as one CamelCase word for programs."""

    message: Annotated[str, Schema(max_length=32768)]
    """Why, in a sentence for people."""

    last_transition_time: Time
    """When this last became different."""

    observed_generation: Annotated[int, Schema(minimum=0)] = 0
    """Generation of the object that this was observed for."""
