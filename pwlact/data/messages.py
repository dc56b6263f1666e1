"""Pieces of one-line error messages: values and foreign errors, short and without line breaks."""

import os

LONGEST = 80


def shown(value: object) -> str:
    """`repr` of `value` on one line, cut after `LONGEST` characters."""
    return _cut(" ".join(repr(value).split()))


def reason(error: BaseException) -> str:
    """Why `error` happened, on one line: the system's words for an `OSError`, else its type and text."""
    if isinstance(error, OSError) and error.errno is not None:
        return os.strerror(error.errno)
    return _cut(f"{type(error).__name__}: {' '.join(str(error).split())}")


def _cut(text: str) -> str:
    return text if len(text) <= LONGEST else f"{text[:LONGEST]}..."
