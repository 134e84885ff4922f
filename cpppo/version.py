"""The version of this package, and nothing else: read by the package and by its build."""

__all__ = ["__version__", "__version_info__"]

__version_info__ = (0, 1, 0)
__version__ = ".".join(map(str, __version_info__))
