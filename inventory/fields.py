"""The kinds of text that an inventory may hold; whatever is not one of them is refused.

Values reach config files, shells and web addresses. Each kind here is narrow enough
that it needs no escape anywhere; free text (`Line`) is quoted where it is used, by
`tasks.quote`.
"""

import re
from dataclasses import dataclass
from datetime import timedelta
from ipaddress import IPv4Address, IPv4Network, IPv6Network, ip_network
from typing import Annotated, Any, ClassVar

from pydantic import AfterValidator, BeforeValidator, ConfigDict, Field

from inventory.hours import Hours

SECRET_SCHEMES = ("env", "file", "cmd")
WIDEST = {4: 8, 6: 16}  # the shortest prefix of a network that somebody owns
LABEL = r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?"
UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days"}


class Strict:
    """Read from YAML with unknown keys refused."""

    __pydantic_config__: ClassVar[ConfigDict] = ConfigDict(extra="forbid")


@dataclass(frozen=True)
class Matching:
    """A check that a text is `meaning`, whole. It raises ValueError."""

    pattern: str
    meaning: str

    def __call__(self, value: str) -> str:
        if not re.fullmatch(self.pattern, value):
            raise ValueError(f"{value!r} is not {self.meaning}")
        return value


def _path(value: str) -> str:
    if not re.fullmatch(r"(/[A-Za-z0-9_@+.-]+)+", value) or ".." in value.split("/"):
        raise ValueError(f"{value!r} is not an absolute path such as /etc/caddy/Caddyfile")
    return value


def _trust(value: str) -> str:
    """Whom to trust for a certificate. Raises ValueError."""
    if value in ("system", "insecure"):
        return value
    if not value.startswith("/"):
        raise ValueError(f"{value!r} is not system, insecure, or the path of a CA on the edges")
    return _path(value)


def _home_path(value: str) -> str:
    return "~" + _path(value[1:]) if value.startswith("~/") else _path(value)


def _secret(value: str) -> str:
    scheme, _, rest = value.partition(":")
    if scheme not in SECRET_SCHEMES or not rest.strip() or not value.isprintable():
        # The value itself is not repeated: it may be the secret, pasted by mistake.
        raise ValueError("is not a secret reference: env:NAME, file:PATH or cmd:COMMAND")
    return value


# Unseen, they make a text read as another one: zero width, and marks that turn its direction.
_UNSEEN = (
    r"\u00ad\u034f\u061c\u115f\u1160\u180e\u200b-\u200f\u202a-\u202e\u2060-\u206f\u3164\ufeff"
    r"\ufff9-\ufffb\U000e0000-\U000e007f"
)
_one_line = Matching(r"[^\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]*", "one line of text")


def _line(value: str) -> str:
    found = re.search(f"[{_UNSEEN}]", value)
    if found:
        raise ValueError(
            f"holds a character that nobody sees (U+{ord(found[0]):04X}); type the text anew"
        )
    return _one_line(value)


def _txt(value: str) -> str:
    if not 1 <= len(value.encode()) <= 255:  # RFC 1035, 3.3
        raise ValueError("is not a text of 1 to 255 bytes")
    return value


def _literal(value: str) -> str:
    """Text that Caddy is to give as it is: what it would read something into is refused."""
    for line in value.split("\n"):
        _line(line.replace("\t", " "))
    found = re.search(r"`|\{[$A-Za-z]|\\[{}]", value)
    if found:
        raise ValueError(f"{found[0]!r} means something to Caddy, and would not be told as it is")
    return value


# Whatever Caddy would bring in from elsewhere when it reads its file, so that no plan shows it.
_BROUGHT = (
    (r"\{\$", "{$NAME} is put in by whoever reads the file: write the value itself"),
    (r"(?m)^\s*[\"`]?import\b", "import brings in what no plan shows: write the lines themselves"),
    (r"\{(env|file|system)\.", "{env.…}, {file.…} and {system.…} tell what is on the edge"),
)


def _caddy_lines(value: str) -> str:
    """Lines of a Caddyfile, for the inside of a block. Raises ValueError.

    Caddy itself is asked on the edge what they do (`tasks.doctor.own_lines`); here is said what
    can be seen without it.
    """
    depth = 0
    for line in value.split("\n"):
        _line(line.replace("\t", " "))
        words = line.split()
        depth += (words[-1:] == ["{"]) - (words == ["}"])
        if depth < 0:
            raise ValueError("closes a block that it has not opened: it would leave the service's")
    if depth:
        raise ValueError("leaves a block open")
    for pattern, problem in _BROUGHT:
        if re.search(pattern, value):
            raise ValueError(problem)
    return value


_url = Matching(
    r"https?://[A-Za-z0-9.-]+(:[0-9]{1,5})?(/[A-Za-z0-9._~/?&=+,:@%-]*)?",
    "a web address such as https://mcp.example/sse",
)


def _api(value: str) -> str:
    """A token travels there: in the clear on this very machine alone. Raises ValueError."""
    if not re.match(r"https://|http://(127\.0\.0\.1|localhost)[:/]", _url(value)):
        raise ValueError(f"{value!r} is not https, and a token would travel in the clear")
    return value.rstrip("/")


def span(text: Any) -> timedelta:
    """`90s`, `20m`, `2h`, `3d`. Raises ValueError."""
    match = re.fullmatch(r"([0-9]{1,4})([smhd])", str(text))
    if match is None or not int(match[1]):
        raise ValueError(f"{text!r} is not a time such as 90s, 20m, 2h or 3d")
    return timedelta(**{UNITS[match[2]]: int(match[1])})


def _network(text: Any) -> IPv4Network | IPv6Network:
    """A network in which the operator knows everybody. Raises ValueError."""
    try:
        network = ip_network(str(text))
    except ValueError as error:
        raise ValueError(f"{text!r} is not a network such as 192.168.1.0/24 ({error})") from error
    if network.prefixlen < WIDEST[network.version]:
        raise ValueError(f"{text!r} is half the internet: name your own networks")
    return network


def _tailnet_address(value: Any) -> Any:
    """The text of an IPv4 address. A name of one is no address: raises ValueError."""
    text = str(value)
    names = re.compile(rf"(?=.*[a-z]){LABEL}(\.{LABEL})*", re.IGNORECASE)
    if isinstance(value, str) and names.fullmatch(text):
        raise ValueError(
            f"{text!r} is a name; here stands the tailnet address, of which records and listeners "
            f"are made: `tailscale ip -4 {text}` prints it. To log in by a name, give it as "
            "HostName in a file that data.ssh.config names (README, 'The way to a host')"
        )
    return text if isinstance(value, int) else value  # 100 would be 0.0.0.100


def one_or_many(value: Any) -> Any:
    """A text stands for a list of it alone, nothing for an empty one."""
    return [] if value is None else [value] if isinstance(value, str) else value


def _no_flag(value: Any) -> Any:
    """YAML's `yes` is no number, though Python counts with it. Raises ValueError."""
    if isinstance(value, bool):
        raise ValueError(f"should be a number, not {str(value).lower()}")
    return value


def is_reference(text: str) -> bool:
    """Does `text` say where a secret is?"""
    return text.partition(":")[0] in SECRET_SCHEMES


def _url_or_secret(value: str) -> str:
    return _secret(value) if is_reference(value) else _url(value)


Name = Annotated[
    str, AfterValidator(Matching(LABEL, "a name of a-z, 0-9 and dashes such as uptime-kuma"))
]
host_name = Matching(rf"(?=.{{1,253}}$){LABEL}(\.{LABEL})*", "a host name such as home.example")
DnsName = Annotated[str, AfterValidator(host_name)]
RecordName = Annotated[
    str,
    AfterValidator(
        Matching(
            rf"(?=.{{1,253}}$)(_?{LABEL})(\._?{LABEL})*", "a name such as printer or _dmarc.lan"
        )
    ),
]
Names = Annotated[tuple[Name, ...], BeforeValidator(one_or_many)]
Path = Annotated[str, AfterValidator(_path)]
HomePath = Annotated[str, AfterValidator(_home_path)]
SettingsPath = Annotated[
    str,
    AfterValidator(
        Matching(r"(?!.*\.\.)/?[A-Za-z0-9_@+.-]+(/[A-Za-z0-9_@+.-]+)*", "a path to a config.yaml")
    ),
]
UrlPath = Annotated[
    str,
    AfterValidator(
        Matching(r"/[A-Za-z0-9._~/?&=+,:@%-]*", "a path on the service such as /api/ping")
    ),
]
Prefix = Annotated[
    str,
    AfterValidator(
        Matching(r"((/[A-Za-z0-9._~-]+)+)?", "a path in front of every other such as /app")
    ),
]
_BELOW = r"(/[A-Za-z0-9_~@+-][A-Za-z0-9._~@+-]*|/\.well-known)+"
Below = Annotated[
    str,
    AfterValidator(Matching(_BELOW, "a path such as /api, which stands for itself and all below")),
]
RoutePath = Annotated[
    str,
    AfterValidator(
        Matching(rf"/|{_BELOW}", "a path such as /api, or / for the front page and nothing below")
    ),
]
HostHeader = Annotated[
    str,
    AfterValidator(
        Matching(rf"{LABEL}(\.{LABEL})*(:[0-9]{{1,5}})?", "a Host header such as nas.lan:8443")
    ),
]
Trust = Annotated[str, AfterValidator(_trust)]
UrlOrSecret = Annotated[str, AfterValidator(_url_or_secret)]
Audience = Annotated[
    str,
    AfterValidator(
        Matching(
            "[0-9a-f]{64}",
            "an AUD tag: 64 characters of 0-9 and a-f, in the application's overview in Zero Trust",
        )
    ),
]
Unit = Annotated[
    str,
    AfterValidator(
        Matching(r"[A-Za-z0-9][A-Za-z0-9_.@-]*", "the name of a unit or container such as plex")
    ),
]
User = Annotated[
    str, AfterValidator(Matching(r"[a-z_][a-z0-9_-]{0,31}", "a user name such as root"))
]
EnvName = Annotated[
    str, AfterValidator(Matching(r"[A-Za-z_][A-Za-z0-9_]*", "a variable name such as API_TOKEN"))
]
HeaderName = Annotated[
    str,
    AfterValidator(Matching(r"[A-Za-z0-9][A-Za-z0-9_-]*", "a header's name such as X-Api-Key")),
]
McpName = Annotated[
    str,
    AfterValidator(
        Matching(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,63}", "a server's name such as brave_search")
    ),
]
Uuid = Annotated[
    str,
    AfterValidator(
        Matching(
            r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}",
            "an id such as 6ff42ae2-765d-4adf-8112-31c55c1551ef",
        )
    ),
]
Hex32 = Annotated[
    str,
    AfterValidator(
        Matching("[0-9a-f]{32}", "an account id: 32 characters of 0-9 and a-f, in the dashboard")
    ),
]
Email = Annotated[
    str,
    AfterValidator(
        Matching(
            rf"[A-Za-z0-9._%+'-]{{1,64}}@{LABEL}(\.{LABEL})+",
            "an address such as me@home.example",
        )
    ),
]
Session = Annotated[
    str, AfterValidator(Matching(r"[1-9][0-9]{0,3}[mh]", "a session such as 30m, 24h or 720h"))
]
ApiUrl = Annotated[str, AfterValidator(_api)]
Line = Annotated[str, AfterValidator(_line)]
TxtText = Annotated[Line, AfterValidator(_txt)]
Text = Annotated[str, AfterValidator(_literal)]
CaddyLines = Annotated[str, AfterValidator(_caddy_lines)]
HeaderText = Annotated[str, AfterValidator(_line), AfterValidator(_literal)]
RedirectTarget = Annotated[
    str,
    AfterValidator(
        Matching(
            r"(https?://[A-Za-z0-9.-]+(:[0-9]{1,5})?|(?=/(?!/)))(/[A-Za-z0-9._~/?&=+,:@%-]*)?",
            "an address such as https://new.example, or a path such as /web/",
        )
    ),
]
Size = Annotated[
    str,
    AfterValidator(Matching(r"[1-9][0-9]{0,5}(KB|MB|GB)", "a size such as 500KB, 50MB or 2GB")),
]
Pattern = Annotated[
    str,
    AfterValidator(
        Matching(
            r"(?!.*\*\*)/?[A-Za-z0-9_@+.*?~-]+(/[A-Za-z0-9_@+.*?~-]+)*/?",
            "a pattern of file names such as *.db, logs/ or /top/cache",
        )
    ),
]
SecretText = Annotated[str, AfterValidator(_secret)]
WeekHours = Annotated[Hours, BeforeValidator(Hours.parse)]
TailnetAddress = Annotated[IPv4Address, BeforeValidator(_tailnet_address)]
Network = Annotated[IPv4Network | IPv6Network, BeforeValidator(_network)]
Port = Annotated[int, Field(strict=True, ge=1, le=65535)]
Count = Annotated[int, Field(strict=True, ge=0)]
Days = Annotated[int, Field(strict=True, ge=1, le=3650)]
Flag = Annotated[bool, Field(strict=True)]
Seconds = Annotated[
    float, BeforeValidator(_no_flag), Field(ge=0.01, le=3600)
]  # what configs are told in milliseconds
Status = Annotated[int, Field(ge=100, le=599)]  # of an answer over HTTP
Wait = Annotated[
    float, BeforeValidator(_no_flag), Field(ge=0.01, le=86400)
]  # seconds until an answer begins
Span = Annotated[timedelta, BeforeValidator(span)]
