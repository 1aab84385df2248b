"""Where requests go, and whose key goes there."""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass, field
from urllib.parse import urlsplit

from snapdrift.errors import ConfigError

OPENAI_BASE_URL = "https://api.openai.com/v1"
OPENAI_HOSTS = frozenset(
    {"api.openai.com", *(f"{region}.api.openai.com" for region in ("us", "eu", "ae", "au", "in", "jp"))}
)
"""OpenAI's API and its regional hosts (SDK openai 3.54.0, `data_residency`): the only ones that get OPENAI_API_KEY."""


def is_openai_host(base_url: str) -> bool:
    """Whether a URL is OpenAI's own API, over https at the usual port."""
    try:
        url = urlsplit(base_url)
        return (
            url.scheme == "https" and url.hostname in OPENAI_HOSTS and url.port in (None, 443) and "@" not in url.netloc
        )
    except ValueError:
        return False


def is_loopback(base_url: str) -> bool:
    """Whether a URL leads to this machine."""
    name = urlsplit(base_url).hostname or ""
    try:
        return ipaddress.ip_address(name).is_loopback
    except ValueError:
        return name == "localhost" or name.endswith(".localhost")


@dataclass(frozen=True, slots=True)
class Host:
    """Where requests go. `is_openai` says that `api_key` is OpenAI's; such a key goes to OpenAI's hosts only.

    `api_version` makes it an Azure resource in its classic form: `base_url` is then the resource's endpoint, the key
    goes as `api-key`, and `model` names a deployment. Azure's v1 form is an ordinary host (`.../openai/v1`).

    Raises `ConfigError` for a URL that is not one, for a key of OpenAI with another host, and for one of Azure with
    OpenAI's.
    """

    name: str
    base_url: str
    api_key: str = field(repr=False)
    is_openai: bool
    api_version: str | None = None

    @property
    def is_azure(self) -> bool:
        """Whether it is asked in Azure's classic form."""
        return self.api_version is not None

    def __post_init__(self) -> None:
        try:
            url = urlsplit(self.base_url)
            valid = url.scheme in ("http", "https") and bool(url.hostname) and url.port != 0
        except ValueError:
            valid = False
        if not valid:
            raise ConfigError(f"host {self.name}: found base_url {self.base_url!r}; expected http(s)://HOST[:PORT]/v1")
        if self.is_openai and (self.is_azure or not is_openai_host(self.base_url)):
            raise ConfigError(
                f"host {self.name}: found base_url {self.base_url!r}; OPENAI_API_KEY is sent to OpenAI's hosts only "
                f"(https://api.openai.com/v1 and its regions). Declare the host with a key of its own (`key_env`)"
            )
        if self.is_azure and is_openai_host(self.base_url):
            raise ConfigError(
                f"host {self.name}: found base_url {self.base_url!r}; a key of Azure is never sent to OpenAI; "
                "expected the resource's endpoint, such as https://RESOURCE.openai.azure.com"
            )
        if not self.api_key or not self.api_key.isascii() or not self.api_key.isprintable() or " " in self.api_key:
            found = "an empty key" if not self.api_key else "a key with spaces, line ends or other odd characters"
            raise ConfigError(f"host {self.name}: found {found}; expected a key (any word for a host without keys)")


def goes_by_proxy(base_url: str) -> bool:
    """Return whether the environment wants requests to the host to go by a proxy: that is left to the SDK's client."""
    from urllib.request import getproxies, proxy_bypass

    parts = urlsplit(base_url)
    proxies = getproxies()
    return bool({parts.scheme, "all"} & proxies.keys()) and not proxy_bypass(parts.hostname or "")
