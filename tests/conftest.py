import pack  # noqa: F401
