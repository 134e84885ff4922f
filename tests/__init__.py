"""The test suite: a package, so that no `tests` directory installed by others is taken for it."""
