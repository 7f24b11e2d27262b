"""The Caddyfile that system.md describes and no more: `lb_policy first`, a check every 10 s."""

from inventory.catalogue import Catalogue, Host, Service

HEAD = """\
{{
	admin localhost:2019
	auto_https disable_redirects
	default_bind {address}
	skip_install_trust
	servers {{
		protocols h1 h2
	}}
}}
"""
PROXY = """\
	reverse_proxy {upstreams} {{
		lb_policy first
		health_uri {health}
		health_interval 10s
	}}
	header >X-Served-By {{http.reverse_proxy.upstream.hostport}}
"""
SITE = "https://{hostname} {{\n\ttls internal\n{proxy}}}\n"
TUNNEL = "http://{hostname}:{port} {{\n\tbind 127.0.0.1\n{proxy}}}\n"


def plain_caddyfile(host: Host, catalogue: Catalogue) -> str:
    """For the same services, on the same listeners, as the product's own."""
    port = catalogue.site.tunnel.caddy_port
    parts = [HEAD.format(address=host.address)]
    for service in catalogue.web_services:
        proxy = _proxy(catalogue, service, host)
        parts.append(SITE.format(hostname=service.hostname, proxy=proxy))
        parts.append(TUNNEL.format(hostname=service.hostname, port=port, proxy=proxy))
    return "\n".join(parts)


def _proxy(catalogue: Catalogue, service: Service, host: Host) -> str:
    assert service.health is not None, "a web service has a health check"
    upstreams = " ".join(catalogue.upstreams_from(host.name, service))
    return PROXY.format(upstreams=upstreams, health=service.health.path)
