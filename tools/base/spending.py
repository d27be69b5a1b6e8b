"""What a tool spent at a model of its own, so that the run it belongs to counts it."""

from pydantic import BaseModel

__all__ = ["Spending"]


class Spending(BaseModel):
    """Requests to models, and the tokens these counted."""

    requests: int = 0
    input_tokens: int = 0
    output_tokens: int = 0
