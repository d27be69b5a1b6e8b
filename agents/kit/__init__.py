"""What agents and compositions are written with; importing it costs pydantic and nothing dearer."""

from agents.kit.engine import Engine, Engines
from agents.kit.events import Done, Event, Listener, Partial, Piece, StepFinished, StepStarted
from agents.kit.foreign import PassagePaths
from agents.kit.gate import Act, Gate, Guard, Pieces
from agents.kit.guards import CancelGuard, SecretGuard, SizeGuard, UsageGuard
from agents.kit.outside import OutsideServer
from agents.kit.readable import Readable, from_text, readable, text_field, validated
from agents.kit.result import Outcome, PromptRef, Result, Step, Support, SupportedSentence, Usage
from agents.kit.run import Run
from agents.kit.runtime import Runtime
from agents.kit.task import Evidence, Language, Role, Task, Variable
from agents.kit.toolbox import HouseServer, Toolbox
from agents.kit.turns import Turn
from agents.kit.use_case import Chain, Composition, UseCase, composition

__all__ = [
    "Act",
    "CancelGuard",
    "Chain",
    "Composition",
    "Done",
    "Engine",
    "Engines",
    "Event",
    "Evidence",
    "Gate",
    "Guard",
    "HouseServer",
    "Language",
    "Listener",
    "Outcome",
    "OutsideServer",
    "Partial",
    "PassagePaths",
    "Piece",
    "Pieces",
    "PromptRef",
    "Readable",
    "Result",
    "Role",
    "Run",
    "Runtime",
    "SecretGuard",
    "SizeGuard",
    "Step",
    "StepFinished",
    "StepStarted",
    "Support",
    "SupportedSentence",
    "Task",
    "Toolbox",
    "Turn",
    "Usage",
    "UsageGuard",
    "UseCase",
    "Variable",
    "composition",
    "from_text",
    "readable",
    "text_field",
    "validated",
]
