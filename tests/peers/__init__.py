"""Clients of other makers, with their default settings, on controllers of every profile."""
