"""The models of an installation: each a pool of engines behind one id, over one HTTP client."""

from tools.models.config import Capability, Kind, Limits, ModelConfig, Price, web_address
from tools.models.hub import Hub
from tools.models.pool import Pool
from tools.models.refusal import Declined
from tools.models.reply import Reply
from tools.models.request import Body, Json
from tools.models.transport import Transport

__all__ = [
    "Body",
    "Capability",
    "Declined",
    "Hub",
    "Json",
    "Kind",
    "Limits",
    "ModelConfig",
    "Pool",
    "Price",
    "Reply",
    "Transport",
    "web_address",
]
