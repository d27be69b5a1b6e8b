"""The prompt store: prompts as files in Git, each answer led back to its commit."""

from prompts.prompt import Language, Prompt, Role, Variable, VariableType
from prompts.render import render
from prompts.store import PromptStore

__all__ = ["Language", "Prompt", "PromptStore", "Role", "Variable", "VariableType", "render"]
