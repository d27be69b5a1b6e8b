"""The models of an installation: each a pool of engines behind one id, over one HTTP client."""

from tools.models.config import Capability, Kind, Limits, ModelConfig, Price, web_address
from tools.models.hub import Hub
from tools.models.pool import Declined, Pool
from tools.models.reply import Reply
from tools.models.request import Body, Json

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
    "web_address",
]
