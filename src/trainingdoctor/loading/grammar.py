"""Source from before Python 3.7, when `async` was a name like any other: cuda(async=True)."""

import re

_ASYNC = re.compile(rb"\basync\s*=(?!=)")


def modernized(text: bytes) -> tuple[bytes, int]:
    """The text with torch's present name for that argument, non_blocking=, and how often it was changed."""
    return _ASYNC.subn(b"non_blocking=", text)
