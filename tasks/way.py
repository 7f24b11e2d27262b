"""How a placement of a service is asked directly, past every Caddy: by curl, and from here; and
which answer is a healthy one."""

import ssl
from collections.abc import Mapping
from dataclasses import dataclass

from inventory.appliance import at_port, bracketed
from inventory.catalogue import Catalogue, HealthCheck, Service
from tasks import probe
from tasks.probe import Answer


def health_of(service: Service) -> HealthCheck:
    assert service.health is not None, "a web service has a health check"
    return service.health


def is_healthy(service: Service, answer: Answer) -> bool:
    health = health_of(service)
    return answer.matches(health.status, health.body)


@dataclass(frozen=True, kw_only=True)
class Way:
    """What leads to one placement; `path` is behind the service's own prefix."""

    catalogue: Catalogue
    service: Service
    host: str
    path: str

    @property
    def url(self) -> str:
        """With the name in it that the certificate has to bear."""
        upstream = self.service.upstream
        place = at_port(upstream.server_name or self._address, self.service.port)
        scheme = "https" if upstream.is_https else "http"
        return f"{scheme}://{place}{upstream.path}{self.path}"

    @property
    def curl_flags(self) -> tuple[str, ...]:
        """No word of them has a blank."""
        upstream, found = self.service.upstream, list[str]()
        if upstream.server_name:
            found += ["--connect-to", f"::{at_port(self._address, self.service.port)}"]
        if upstream.is_h2c:
            found.append("--http2-prior-knowledge")
        if upstream.trust == "insecure":
            found.append("--insecure")
        if upstream.ca:
            found += ["--cacert", upstream.ca]
        if upstream.host:
            found.append(f"-HHost:{upstream.host}")
        return tuple(found)

    @property
    def passed_name(self) -> str | None:
        """The name that Caddy passes on to it, where it passes on the visitor's."""
        upstream = self.service.upstream
        return None if upstream.host or upstream.is_https else self.service.hostname

    def ask(
        self,
        *,
        timeout: float,
        hostname: str | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> Answer:
        """Ask from here, by the address unless there is a `hostname`; `timeout` is in seconds."""
        upstream = self.service.upstream
        return probe.ask(
            bracketed(self._address),
            self.service.port,
            f"{upstream.path}{self.path}",
            hostname=upstream.host or hostname,
            headers=headers,
            server_name=upstream.server_name or self._address,
            tls=self._tls(),
            timeout=timeout,
        )

    @property
    def _address(self) -> str:
        return self.catalogue.address_of(self.host)

    def _tls(self) -> ssl.SSLContext | None:
        """Without the CA's file, which lies on the edges, the certificate is theirs to check."""
        upstream = self.service.upstream
        if not upstream.is_https:
            return None
        if upstream.trust == "system":
            return probe.system_tls()
        try:
            return probe.trusting_file(upstream.ca) if upstream.ca else probe.blind_tls()
        except OSError:
            return probe.blind_tls()
