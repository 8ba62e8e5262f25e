"""What a client can be told went wrong, and in which words OpenAI's clients expect it.

    GatewayError                status, type, param, code; one JSON envelope for all
    ├── InvalidRequest          400
    │   └── ContextTooLong      400 context_length_exceeded
    ├── InvalidKey              401
    ├── NotFound                404 (ModelNotFound: model_not_found)
    ├── BodyTooLarge            413
    ├── Overloaded              429 with Retry-After
    ├── NotReady                503 with Retry-After (asleep too long, failing, draining,
    │                           its files or its deployment not there)
    └── GenerationFailed        500

Errors of main's transport are in `main_client`; they never reach a client untranslated.
"""

# ruff: noqa: N818  (the names say what happened)

from __future__ import annotations

from typing import Any, ClassVar


class GatewayError(Exception):
    """Anything a client is told; subclasses say what.

    Attributes:
        message: a sentence for people.
        param: the request's field at fault, where there is one.
        code: what programs look at, where there is one.
        retry_after_seconds: when trying again may help.
    """

    status: ClassVar[int] = 500
    type: ClassVar[str] = "server_error"

    def __init__(
        self,
        message: str,
        *,
        param: str | None = None,
        code: str | None = None,
        retry_after_seconds: int | None = None,
    ) -> None:
        super().__init__(message)
        self.message = message
        self.param = param
        self.code = code
        self.retry_after_seconds = retry_after_seconds

    @property
    def envelope(self) -> dict[str, Any]:
        """OpenAI's error body."""
        return envelope(self.message, self.type, param=self.param, code=self.code)

    @property
    def headers(self) -> dict[str, str]:
        if self.retry_after_seconds is None:
            return {}
        return {"retry-after": str(self.retry_after_seconds)}


class InvalidRequest(GatewayError):
    """The request cannot be served as it is; nothing was woken for it."""

    status = 400
    type = "invalid_request_error"


class ContextTooLong(InvalidRequest):
    """Prompt and answer do not fit the model's context."""

    def __init__(self, message: str, *, param: str | None = None) -> None:
        super().__init__(message, param=param, code="context_length_exceeded")


class InvalidKey(GatewayError):
    """No key, or none that we know."""

    status = 401
    type = "invalid_request_error"

    def __init__(self, message: str) -> None:
        super().__init__(message, code="invalid_api_key")

    @property
    def headers(self) -> dict[str, str]:
        return {"www-authenticate": "Bearer"}


class NotFound(GatewayError):
    """No such address."""

    status = 404
    type = "invalid_request_error"


class ModelNotFound(NotFound):
    """The request names a model that is not served here."""

    def __init__(self, name: str, served: tuple[str, ...]) -> None:
        served_here = f"served here: {', '.join(served)}" if served else "no model is served here"
        super().__init__(
            f"the model {name!r} does not exist; {served_here}",
            param="model",
            code="model_not_found",
        )


class BodyTooLarge(GatewayError):
    """The body is larger than allowed; the rest of it was not kept."""

    status = 413
    type = "invalid_request_error"

    def __init__(self, max_bytes: int) -> None:
        super().__init__(
            f"the request body must be at most {max_bytes} bytes", code="body_too_large"
        )


class Overloaded(GatewayError):
    """Too many requests are running or held already."""

    status = 429
    type = "rate_limit_error"

    def __init__(self, message: str, *, retry_after_seconds: int = 5) -> None:
        super().__init__(message, code="overloaded", retry_after_seconds=retry_after_seconds)


class NotReady(GatewayError):
    """The model did not come up in time, or this gateway is going away."""

    status = 503
    type = "service_unavailable_error"

    def __init__(
        self, message: str, *, code: str = "model_not_ready", retry_after_seconds: int = 10
    ) -> None:
        super().__init__(message, code=code, retry_after_seconds=retry_after_seconds)


class GenerationFailed(GatewayError):
    """The model failed on this request, and trying again did not help."""

    def __init__(self, message: str, *, code: str = "generation_failed") -> None:
        super().__init__(message, code=code)


def envelope(
    message: str, kind: str, *, param: str | None = None, code: str | None = None
) -> dict[str, Any]:
    """The body every error has: `{"error": {message, type, param, code}}`."""
    return {"error": {"message": message, "type": kind, "param": param, "code": code}}
