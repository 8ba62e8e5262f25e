"""Where the API server is, and what proves to it who asks: a pod's own account, or a kubeconfig.

Programs that hand out credentials (`exec`) are not run here: whoever needs one sets up
`kubectl proxy` and a kubeconfig that names it.
"""

from __future__ import annotations

import base64
import os
import ssl
import tempfile
from collections.abc import Generator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx

from remoe_functions.runtime.errors import RuntimeUnavailable

ACCOUNT = Path("/var/run/secrets/kubernetes.io/serviceaccount")


@dataclass(frozen=True, slots=True, kw_only=True)
class Access:
    """How to reach one cluster.

    Attributes:
        url: the API server's.
        tls: whom to trust, and the client's certificate where it has one; None for plain HTTP.
        token: the bearer token; None for none.
        token_file: a file with the token, read anew for every request, since it is replaced
            before it expires; None for none.
    """

    url: str
    tls: ssl.SSLContext | None = None
    token: str | None = None
    token_file: Path | None = None

    @classmethod
    def found(cls, environment: Mapping[str, str] = os.environ) -> Access:
        """The pod's own cluster, else the one of the kubeconfig.

        Raises:
            RuntimeUnavailable: neither is there, or it cannot be used; says why.
        """
        if environment.get("KUBERNETES_SERVICE_HOST") and (ACCOUNT / "token").exists():
            return cls.in_cluster(environment)
        for path in _kubeconfigs(environment):
            if path.is_file():
                return cls.of_kubeconfig(path)
        raise RuntimeUnavailable(
            "no cluster to talk to: this is no pod with a service account, and there is no "
            "kubeconfig at $KUBECONFIG or ~/.kube/config"
        )

    @classmethod
    def in_cluster(cls, environment: Mapping[str, str], account: Path = ACCOUNT) -> Access:
        """The access of a pod's service account, whose files lie in `account`.

        Raises:
            RuntimeUnavailable: its certificate cannot be read.
        """
        host = environment["KUBERNETES_SERVICE_HOST"]
        port = environment.get("KUBERNETES_SERVICE_PORT", "443")
        try:
            tls = ssl.create_default_context(cafile=str(account / "ca.crt"))
        except OSError as error:
            raise RuntimeUnavailable(f"{account}/ca.crt cannot be used: {error}") from error
        return cls(
            url=f"https://{f'[{host}]' if ':' in host else host}:{port}",
            tls=tls,
            token_file=account / "token",
        )

    @classmethod
    def of_kubeconfig(cls, path: Path) -> Access:
        """The access of a kubeconfig's current context.

        Raises:
            RuntimeUnavailable: the file cannot be read, or asks for what is not done here.
        """
        try:
            # A cluster's own pods have no kubeconfig: they need neither have nor load this.
            import yaml
        except ImportError as error:
            raise RuntimeUnavailable(f"kubeconfig {path} cannot be read without PyYAML") from error

        try:
            config = yaml.safe_load(path.read_text())
            chosen = _named(config["contexts"], config["current-context"])["context"]
            cluster = _named(config["clusters"], chosen["cluster"])["cluster"]
            user = _named(config["users"], chosen["user"])["user"] if chosen.get("user") else {}
            return cls._of_entries(cluster, user or {})
        except (OSError, ValueError, KeyError, TypeError, AttributeError, yaml.YAMLError) as error:
            raise RuntimeUnavailable(f"kubeconfig {path} cannot be used: {error!r}") from error

    @classmethod
    def _of_entries(cls, cluster: Mapping[str, Any], user: Mapping[str, Any]) -> Access:
        for way in ("exec", "auth-provider", "username"):
            if way in user:
                raise ValueError(f"credentials by {way} are not supported; use `kubectl proxy`")
        url, file = str(cluster["server"]).rstrip("/"), user.get("tokenFile")
        return cls(
            url=url,
            tls=_tls(cluster, user) if url.startswith("https:") else None,
            token=user.get("token"),
            token_file=None if file is None else Path(file),
        )

    @property
    def auth(self) -> httpx.Auth | None:
        """What httpx puts on every request; None where the certificate is enough."""
        if self.token_file is not None:
            return _TokenOfFile(self.token_file)
        return None if self.token is None else _Token(self.token)


class _Token(httpx.Auth):
    """A bearer token."""

    def __init__(self, token: str) -> None:
        self._token = token

    def auth_flow(self, request: httpx.Request) -> Generator[httpx.Request, httpx.Response, None]:
        request.headers["Authorization"] = f"Bearer {self._current()}"
        yield request

    def _current(self) -> str:
        return self._token


class _TokenOfFile(_Token):
    """The token that is in a file now; the last one that could be read where it cannot."""

    def __init__(self, path: Path) -> None:
        super().__init__("")
        self._path = path

    def _current(self) -> str:
        try:
            self._token = self._path.read_text().strip() or self._token
        except OSError:
            return self._token
        return self._token


def _kubeconfigs(environment: Mapping[str, str]) -> Sequence[Path]:
    named = [Path(p) for p in environment.get("KUBECONFIG", "").split(os.pathsep) if p]
    return named or [Path("~/.kube/config").expanduser()]


def _named(entries: Sequence[Mapping[str, Any]], name: str) -> Mapping[str, Any]:
    for entry in entries:
        if entry["name"] == name:
            return entry
    raise ValueError(f"it names {name!r} and does not say what that is")


def _tls(cluster: Mapping[str, Any], user: Mapping[str, Any]) -> ssl.SSLContext:
    authority = cluster.get("certificate-authority-data")
    context = ssl.create_default_context(
        cafile=cluster.get("certificate-authority"),
        cadata=None if authority is None else base64.b64decode(authority).decode(),
    )
    if cluster.get("insecure-skip-tls-verify"):
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    _show_certificate(context, user)
    return context


def _show_certificate(context: ssl.SSLContext, user: Mapping[str, Any]) -> None:
    """Have the client show its certificate, where the user has one."""
    if "client-certificate" in user:
        context.load_cert_chain(user["client-certificate"], user["client-key"])
    elif "client-certificate-data" in user:
        # OpenSSL takes them from files alone.
        with tempfile.NamedTemporaryFile(prefix="remoe-") as file:
            for part in ("client-certificate-data", "client-key-data"):
                file.write(base64.b64decode(user[part]) + b"\n")
            file.flush()
            context.load_cert_chain(file.name)
