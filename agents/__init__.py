"""Typed agents, one file each, and the kit they are written with."""
