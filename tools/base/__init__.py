"""The ground of the house: caller, citation, artifact, tool reference, errors. Standard library and pydantic only."""

from tools.base.access import DEFAULT, EVERYONE, Access, Collection, OpenReach, Reach, Reaches, principals_of
from tools.base.artifact import Artifact, ArtifactStore
from tools.base.caller import Caller, acting_as, caller_of
from tools.base.citation import Around, Citation, Passage, Passages, Why
from tools.base.errors import (
    Cancelled,
    Failed,
    Forbidden,
    InvalidInput,
    NeedsModel,
    NoReliableSource,
    NotFound,
    Overloaded,
    PartiturError,
    Refused,
    SetupError,
    StepFailed,
    TimedOut,
    TooLarge,
    ToolFailed,
    TooLong,
    Unauthenticated,
    Unavailable,
)
from tools.base.spending import Spending
from tools.base.text import Words, shortened
from tools.base.tool import SOURCE, ToolRef

__all__ = [
    "DEFAULT",
    "EVERYONE",
    "SOURCE",
    "Access",
    "Around",
    "Artifact",
    "ArtifactStore",
    "Caller",
    "Cancelled",
    "Citation",
    "Collection",
    "Failed",
    "Forbidden",
    "InvalidInput",
    "NeedsModel",
    "NoReliableSource",
    "NotFound",
    "OpenReach",
    "Overloaded",
    "Passage",
    "Passages",
    "PartiturError",
    "Reach",
    "Reaches",
    "Refused",
    "SetupError",
    "Spending",
    "StepFailed",
    "TimedOut",
    "TooLarge",
    "TooLong",
    "ToolFailed",
    "ToolRef",
    "Unauthenticated",
    "Unavailable",
    "Why",
    "Words",
    "acting_as",
    "caller_of",
    "principals_of",
    "shortened",
]
