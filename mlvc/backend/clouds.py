"""Opens buckets by URL: `s3://bucket/prefix`, `gs://bucket/prefix`, `az://container/prefix`, with each cloud's usual credentials.

None stand in a URL or in `mlvc.toml`. Environment variables, instance and container roles, service accounts and managed identities are
found by obstore; profiles of `~/.aws` are read here, and those that need more than keys (SSO, roles) by boto3, if it is installed.
"""

from __future__ import annotations

import configparser
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from msgspec import Struct

from mlvc.backend.object_store import CLIENT_OPTIONS, RETRIES, ObjectStoreBackend
from mlvc.backend.unconditional import CarrierBucket
from mlvc.errors import RemoteError, UsageError

if TYPE_CHECKING:
    from obstore.store import ObjectStore as Store

SCHEMES = ("s3", "gs", "az")
OPTIONS = ("endpoint", "region", "path_style", "profile", "account", "anonymous", "carrier")
"""What `mlvc.toml` may say of a remote beside its URL."""

_KEYS = {"aws_access_key_id": "access_key_id", "aws_secret_access_key": "secret_access_key", "aws_session_token": "session_token"}
_NEEDS_BOTO = ("sso_session", "sso_start_url", "role_arn", "credential_process", "web_identity_token_file")


class Place(Struct, frozen=True):
    """Where a bucket is.

    Attributes:
        scheme: one of `SCHEMES`.
        bucket: or container.
        prefix: of all keys, without slashes around it; "" for none.
        options: those of `OPTIONS` that were given.
    """

    scheme: str
    bucket: str
    prefix: str
    options: Mapping[str, str]

    @property
    def url(self) -> str:
        """The URL in its usual spelling."""
        return f"{self.scheme}://{self.bucket}" + (f"/{self.prefix}" if self.prefix else "")


def parse(url: str, options: Mapping[str, str]) -> Place:
    """Returns the place that a URL and options name; UsageError when they name none."""
    parts = urlsplit(url)
    scheme = parts.scheme.lower()
    if scheme not in SCHEMES or not parts.netloc or "@" in parts.netloc:
        raise UsageError(f"{url} names no bucket", hint="write it as s3://bucket/prefix, gs://bucket/prefix or az://container/prefix")
    if parts.query or parts.fragment:
        raise UsageError(f"{url} holds more than a bucket and a prefix", hint="options are given beside the URL: --endpoint, --region")
    unknown = sorted(set(options) - set(OPTIONS))
    if unknown:
        raise UsageError(f"a remote has no option '{unknown[0]}'", hint=f"there are: {', '.join(OPTIONS)}")
    prefix = "/".join(part for part in parts.path.split("/") if part)
    if ".." in prefix.split("/"):
        raise UsageError(f"{url} climbs out of its bucket")
    return Place(scheme, parts.netloc, prefix, dict(options))


def open_place(place: Place, environment: Mapping[str, str], *, retries: bool = True) -> ObjectStoreBackend:
    """Opens a bucket; nothing is sent yet.

    Args:
        place: where.
        environment: of this process: where profiles are, which one.
        retries: whether what fails is tried again; a probe must not.

    Raises:
        UsageError: the options do not fit.
        RemoteError: a profile cannot be used.
    """
    opened = open_store(place, environment, retries=retries)
    return (CarrierBucket if _is_on(place, "carrier") else ObjectStoreBackend)(place.url, opened)


def open_store(place: Place, environment: Mapping[str, str], *, retries: bool = True) -> Store:
    """Opens a bucket as obstore has it; arguments and errors as `open_place`."""
    options: dict[str, Any] = {"client_options": dict(CLIENT_OPTIONS), "retry_config": dict(RETRIES)}
    if not retries:
        options["retry_config"] = {"max_retries": 0}
    if place.prefix:
        options["prefix"] = place.prefix
    endpoint = place.options.get("endpoint")
    if endpoint:
        options["endpoint"] = endpoint
        if endpoint.startswith("http://"):
            options["client_options"]["allow_http"] = True
    if _is_on(place, "anonymous"):
        options["skip_signature"] = True
    from obstore.exceptions import BaseError

    try:
        return {"s3": _s3, "gs": _gs, "az": _az}[place.scheme](place, options, environment)
    except (BaseError, ValueError, TypeError) as error:
        raise RemoteError(
            f"{place.url} cannot be opened: {str(error).splitlines()[0]}", hint="check its options, and where its credentials come from"
        ) from error


def _is_on(place: Place, name: str) -> bool:
    return place.options.get(name, "").lower() in ("1", "true", "yes")


def _s3(place: Place, options: dict[str, Any], environment: Mapping[str, str]) -> Store:
    from obstore.store import S3Store

    profile_name = place.options.get("profile") or environment.get("AWS_PROFILE")
    profile: Mapping[str, str] = {}
    if profile_name or "AWS_ACCESS_KEY_ID" not in environment:
        profile = _profile(profile_name or "default", environment, is_asked_for=bool(profile_name))
    region = place.options.get("region") or environment.get("AWS_REGION") or environment.get("AWS_DEFAULT_REGION")
    options["region"] = region or profile.get("region", "us-east-1")
    options["virtual_hosted_style_request"] = "endpoint" not in options and not _is_on(place, "path_style") and "." not in place.bucket
    if "endpoint" not in options and environment.get("AWS_ENDPOINT_URL_S3", environment.get("AWS_ENDPOINT_URL", "")).startswith("http://"):
        options["client_options"]["allow_http"] = True
        options["virtual_hosted_style_request"] = False
    if all(name in profile for name in ("aws_access_key_id", "aws_secret_access_key")):
        options |= {ours: profile[theirs] for theirs, ours in _KEYS.items() if theirs in profile}
    elif any(name in profile for name in _NEEDS_BOTO):
        options["credential_provider"] = _from_boto(profile_name or "default")
    store: Store = S3Store(place.bucket, **options)
    return store


def _profile(name: str, environment: Mapping[str, str], *, is_asked_for: bool) -> Mapping[str, str]:
    """Returns what `~/.aws` says of a profile; RemoteError when it was asked for and is not there."""
    home = Path(environment.get("HOME", "~")).expanduser() / ".aws"
    found: dict[str, str] = {}
    for variable, file, section in (
        ("AWS_CONFIG_FILE", "config", name if name == "default" else f"profile {name}"),
        ("AWS_SHARED_CREDENTIALS_FILE", "credentials", name),
    ):
        path = Path(environment.get(variable) or home / file).expanduser()
        parser = configparser.RawConfigParser()
        try:
            parser.read_string(path.read_text(encoding="utf-8"))
        except FileNotFoundError:
            continue
        except (configparser.Error, UnicodeDecodeError, OSError):
            raise RemoteError(f"{path} cannot be read", hint="'aws configure' writes it") from None
        if parser.has_section(section):
            found.update(parser.items(section))
    if is_asked_for and not found:
        raise RemoteError(f"there is no profile '{name}' in {home}", hint="'aws configure --profile' makes one")
    return found


def _from_boto(profile: str) -> Any:
    try:
        from boto3 import Session
        from obstore.auth.boto3 import Boto3CredentialProvider
    except ImportError:
        raise RemoteError(
            f"the profile '{profile}' needs boto3 to get its credentials", hint="pip install boto3, or set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY"
        ) from None
    return Boto3CredentialProvider(Session(profile_name=profile))


def _gs(place: Place, options: dict[str, Any], environment: Mapping[str, str]) -> Store:
    from obstore.store import GCSStore

    endpoint = options.pop("endpoint", None)
    if endpoint:
        raise UsageError("a gs:// remote has no endpoint of its own", hint="leave --endpoint out")
    del environment
    store: Store = GCSStore(place.bucket, **options)
    return store


def _az(place: Place, options: dict[str, Any], environment: Mapping[str, str]) -> Store:
    from obstore.store import AzureStore

    account = place.options.get("account") or environment.get("AZURE_STORAGE_ACCOUNT_NAME")
    if account:
        options["account_name"] = account
    store: Store = AzureStore(place.bucket, **options)
    return store
