"""The lab's certificates are such as every Python accepts, the strict ones too."""

import ssl
from pathlib import Path

from lab.image import keys


def test_the_labs_certificates_pass_the_strict_checks_that_are_the_default_since_python_3_13(
    tmp_path: Path,
):
    made = keys.generate(["vps1"], domain="edge.test", tunnel="t")
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    pem = tmp_path / "edge.pem"
    pem.write_text(made.edge.certificate + made.edge.key)
    server.load_cert_chain(pem)
    client = ssl.create_default_context(cadata=made.authority)
    client.verify_flags |= ssl.VERIFY_X509_STRICT | ssl.VERIFY_X509_PARTIAL_CHAIN
    shake_hands(server, client, hostname="organizr.edge.test")


def shake_hands(server: ssl.SSLContext, client: ssl.SSLContext, *, hostname: str) -> None:
    """TLS between the two in memory; raises ssl.SSLCertVerificationError as a client would."""
    up, down = ssl.MemoryBIO(), ssl.MemoryBIO()
    ends = [
        client.wrap_bio(down, up, server_hostname=hostname),
        server.wrap_bio(up, down, server_side=True),
    ]
    for _ in range(4):
        for end in list(ends):
            try:
                end.do_handshake()
                ends.remove(end)
            except ssl.SSLWantReadError:
                continue
    assert not ends
