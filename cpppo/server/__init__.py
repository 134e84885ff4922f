"""Servers for the protocols spoken."""

__all__: list[str] = []
