"""MCP tool servers, one folder each."""
