"""The lab's own keys and secrets: made at the first `up`, gone with the lab."""

import base64
import json
import secrets
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

YEAR = timedelta(days=365)
PEM = serialization.Encoding.PEM
NO_PASSWORD = serialization.NoEncryption()


@dataclass(frozen=True, kw_only=True)
class SshKey:
    """A key pair as OpenSSH writes it."""

    private: str
    public: str


@dataclass(frozen=True, kw_only=True)
class Certificate:
    """A certificate and its key, PEM."""

    certificate: str
    key: str


@dataclass(frozen=True, kw_only=True)
class Keys:
    """Everything secret in a lab."""

    control: SshKey
    hosts: Mapping[str, SshKey]
    authority: str  # the lab CA's certificate; its key is thrown away
    edge: Certificate
    tunnel: str  # cloudflared's credentials file
    service_token: Mapping[str, str]
    policy: str  # what the lab's Cloudflare admits
    mcp_token: str


def generate(hosts: Iterable[str], *, domain: str, tunnel: str, team: str = "labteam") -> Keys:
    secret = base64.b64encode(secrets.token_bytes(32)).decode()
    token = {
        "client_id": f"{secrets.token_hex(16)}.access",
        "client_secret": secrets.token_hex(32),
    }
    authority, edge = _certificates(domain)
    policy = {
        "tunnel": {"id": tunnel, "secret": secret},
        "service_token": token,
        "protected": ["*"],
        "open": [],
        "team": team,
    }
    credentials = {"AccountTag": "lab", "TunnelSecret": secret, "TunnelID": tunnel}
    return Keys(
        control=_ssh_key("lab-control"),
        hosts={name: _ssh_key(name) for name in hosts},
        authority=authority,
        edge=edge,
        tunnel=json.dumps(credentials),
        service_token=token,
        policy=json.dumps(policy, indent=1),
        mcp_token=secrets.token_hex(20),
    )


def _ssh_key(comment: str) -> SshKey:
    key = ed25519.Ed25519PrivateKey.generate()
    private = key.private_bytes(PEM, serialization.PrivateFormat.OpenSSH, NO_PASSWORD)
    public = key.public_key().public_bytes(
        serialization.Encoding.OpenSSH, serialization.PublicFormat.OpenSSH
    )
    return SshKey(private=private.decode(), public=f"{public.decode()} {comment}")


def _certificates(domain: str) -> tuple[str, Certificate]:
    """The lab CA's certificate, and the one that it signed for the public hostnames."""
    ca_key, edge_key = (ec.generate_private_key(ec.SECP256R1()) for _ in range(2))
    ca_name = _name("twinedge lab CA")
    ca = (
        _certificate(ca_name, ca_name, ca_key.public_key())
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(_usage(signs_certificates=True), critical=True)
        .sign(ca_key, hashes.SHA256())
    )
    names = x509.SubjectAlternativeName([x509.DNSName(domain), x509.DNSName(f"*.{domain}")])
    server = x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH])
    issuer = x509.AuthorityKeyIdentifier.from_issuer_public_key(ca_key.public_key())
    edge = (
        _certificate(_name(domain), ca_name, edge_key.public_key())
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(_usage(signs_certificates=False), critical=True)
        .add_extension(server, critical=False)
        .add_extension(issuer, critical=False)
        .add_extension(names, critical=False)
        .sign(ca_key, hashes.SHA256())
    )
    pem = edge_key.private_bytes(PEM, serialization.PrivateFormat.PKCS8, NO_PASSWORD).decode()
    return _pem(ca), Certificate(certificate=_pem(edge), key=pem)


def _certificate(
    subject: x509.Name, issuer: x509.Name, key: ec.EllipticCurvePublicKey
) -> x509.CertificateBuilder:
    now = datetime.now(UTC)
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + YEAR)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key), critical=False)
    )


def _usage(*, signs_certificates: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=not signs_certificates,
        key_cert_sign=signs_certificates,
        crl_sign=signs_certificates,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        encipher_only=False,
        decipher_only=False,
    )


def _name(text: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text)])


def _pem(certificate: x509.Certificate) -> str:
    return certificate.public_bytes(PEM).decode()
