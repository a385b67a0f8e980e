"""The errors that are not bugs: each is one sentence that says what is wrong, where, and what to do."""

from enum import StrEnum


class UserError(Exception):
    """Wrong usage, or a config that cannot be loaded. The command line prints it and exits with 2."""


class Reason(StrEnum):
    """Why something was not measured or not judged."""

    NOT_APPLICABLE = "not applicable"
    MISSING = "missing"
    FAILED = "failed"
    QUICK = "quick"
    TIME = "time"


class Unavailable(Exception):
    """Raised by evidence (or a check) that does not apply to this training; its text is the reason, for people."""

    def __init__(self, text: str, reason: Reason = Reason.NOT_APPLICABLE) -> None:
        super().__init__(text)
        self.reason = reason


class UserCodeError(Exception):
    """The user's own code raised while it was being examined.

    `stage` names what was called ("the model's forward"), `where` is the innermost `file:line` of the user's code.
    """

    def __init__(self, stage: str, error: BaseException, where: str | None) -> None:
        self.stage, self.error, self.where = stage, error, where
        place = f" ({where})" if where else ""
        text = str(error).strip().splitlines()
        super().__init__(f"{stage} raised {type(error).__name__}{': ' + text[0][:200] if text else ''}{place}")
