"""Errors of artifacts, by W&B's names and ancestry."""

from __future__ import annotations

from mlvc.errors import Error


class ArtifactStatusError(AttributeError):
    """An artifact is in the wrong state for what was asked. An AttributeError, so `hasattr` is False."""


class ArtifactNotLoggedError(ArtifactStatusError):
    """The artifact must be logged first."""

    def __init__(self, what: str) -> None:
        super().__init__(
            f"'Artifact.{what}' used prior to logging artifact or while in offline mode. "
            "Call Artifact.wait() before accessing logged artifact properties."
        )


class ArtifactFinalizedError(ArtifactStatusError):
    """The artifact is logged and cannot change."""

    def __init__(self, what: str) -> None:
        super().__init__(f"'Artifact.{what}' used on logged artifact. Can't modify finalized artifact.")


class WaitTimeoutError(Error):
    """Waiting took longer than asked. Commits are synchronous here, so it is never raised."""
