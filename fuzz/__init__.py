"""Garbage for the parsers, much more of it than the tests feed them; run as ``python -m fuzz [EXAMPLES]``."""

__all__: list[str] = []
