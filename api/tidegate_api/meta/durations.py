"""The two spellings of a duration that fields allow; both decode whatever Go reads."""

from typing import Annotated

from tidegate_api.codec import Duration
from tidegate_api.schema import Schema

Interval = Annotated[Duration, Schema(pattern=r"^([0-9]+(\.[0-9]+)?(ms|s|m|h))+$")]
SourceTimeout = Annotated[Duration, Schema(pattern=r"^([0-9]+(\.[0-9]+)?(ms|s|m))+$")]
