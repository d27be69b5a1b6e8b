"""A plug-in for the agent benchmark: two use cases with one tool each."""
