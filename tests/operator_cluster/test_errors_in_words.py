"""What the API server refuses is said so that a user knows what to do."""

from __future__ import annotations

import json

import pytest

from remoe_operator.cluster.errors import (
    ConflictError,
    ForbiddenError,
    NotFoundError,
    QuotaExceededError,
    RefusedError,
    TerminatingError,
    UnreachableError,
    translated,
)

MISSING_RIGHT = (
    'deployments.apps is forbidden: User "system:serviceaccount:remoe:operator" cannot patch '
    'resource "deployments" in API group "apps" in the namespace "models"'
)
QUOTA = 'persistentvolumeclaims "a" is forbidden: exceeded quota: small, requested: 50Gi'
ENDING = 'secrets "a" is forbidden: unable to create new content: it is being terminated'


def told(status, message):
    return translated(status, json.dumps({"message": message}), "GET /x")


def test_missing_right_is_named():
    error = told(403, MISSING_RIGHT)
    assert isinstance(error, ForbiddenError)
    assert str(error) == (
        "system:serviceaccount:remoe:operator lacks the right to patch deployments.apps "
        "in namespace models"
    )
    assert error.lasting


@pytest.mark.parametrize(
    ("status", "message", "kind", "lasting"),
    [
        (403, QUOTA, QuotaExceededError, True),
        (403, ENDING, TerminatingError, False),
        (403, "no", ForbiddenError, True),
        (404, "gone", NotFoundError, False),
        (410, "expired", NotFoundError, False),
        (409, "modified", ConflictError, False),
        (422, "spec: Invalid value", RefusedError, True),
        (429, "too many", UnreachableError, False),
        (500, "oops", UnreachableError, False),
    ],
)
def test_each_answer_has_its_error(status, message, kind, lasting):
    error = told(status, message)
    assert type(error) is kind
    assert message in str(error)
    assert error.lasting is lasting


@pytest.mark.parametrize("body", [None, b"", b"<html>", b"[1]", "null"])
def test_answer_that_is_no_status_is_told_by_its_number(body):
    assert "GET /x was answered with status 502" in str(translated(502, body, "GET /x"))
