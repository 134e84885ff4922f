"""The web interface of the simulator: an API for scripts, data for the page, metrics."""

__all__: list[str] = []
