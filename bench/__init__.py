"""Benchmarks: what our code costs against hand-written code, measured in the same run (``python -m bench``)."""

__all__: list[str] = []
