"""Lets a caller read along: partial outputs become pieces of readable text, each through the gate before it leaves."""

from pydantic import BaseModel

from agents.kit.events import Partial, Piece
from agents.kit.gate import Gate
from agents.kit.grounding import texts_in
from agents.kit.readable import Readable, readable
from agents.kit.scope import Scope

__all__ = ["Reader"]


class Reader:
    """Sends what is new of an answer. What was sent is never taken back."""

    def __init__(self, gate: Gate, scope: Scope, name: str) -> None:
        self._gate, self._scope = gate, scope
        self._act = scope.act("use_case", name)
        self._pieces = gate.pieces(self._act)
        self._seen = ""
        self._last: BaseModel | None = None

    def partial(self, output: BaseModel, checked: bool = False) -> None:
        """Takes the output as far as it has come.

        It goes out when its last text ends with a whole word: a secret must not leave in halves. What was `checked`
        ends with a whole sentence. An output that
        decides itself how it reads is read when it is whole, for its sources may still change what it says.
        """
        texts = texts_in(output)
        if output == self._last or not texts or not (checked or texts[-1][-1:].isspace()):
            return
        self._tell(output)
        if not isinstance(output, Readable):
            text = readable(output)
            if text.startswith(self._seen):
                self._send(self._pieces.add(text[len(self._seen) :]))
                self._seen = text

    def end(self, output: BaseModel) -> None:
        """Takes the whole output and sends what is missing; all of it again where it begins otherwise."""
        if output != self._last:
            self._tell(output)
        text = readable(output)
        rest = text[len(self._seen) :] if text.startswith(self._seen) else f"\n\n{text}"
        self._send(self._pieces.add(rest) + self._pieces.end())

    def _tell(self, output: BaseModel) -> None:
        self._gate.piece(self._act, output.model_dump_json())
        self._last = output
        self._scope.listen(Partial(output))

    def _send(self, text: str) -> None:
        if text:
            self._scope.listen(Piece(text))
