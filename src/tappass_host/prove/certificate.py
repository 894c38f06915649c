"""A certificate authority for one laboratory, and the certificate of the model's host, for an hour."""

import datetime as dt
from pathlib import Path
from typing import Final

_LIFETIME: Final = dt.timedelta(hours=1)


def write_certificate(folder: Path, host: str) -> tuple[Path, Path]:
    """Write `ca.pem` and `server.pem` (key and certificate of `host`) and return both paths."""
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec
    from cryptography.x509.oid import NameOID

    def name(text: str) -> x509.Name:
        return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text)])

    def builder(subject: str, key: ec.EllipticCurvePrivateKey) -> x509.CertificateBuilder:
        now = dt.datetime.now(dt.UTC)
        return (
            x509.CertificateBuilder()
            .subject_name(name(subject))
            .issuer_name(name(_AUTHORITY))
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - dt.timedelta(minutes=5))
            .not_valid_after(now + _LIFETIME)
        )

    authority_key, host_key = (ec.generate_private_key(ec.SECP256R1()) for _ in range(2))
    is_authority = x509.BasicConstraints(ca=True, path_length=0)
    authority = builder(_AUTHORITY, authority_key).add_extension(is_authority, critical=True)
    names = x509.SubjectAlternativeName([x509.DNSName(host)])
    server = builder(host, host_key).add_extension(names, critical=False)
    pem = serialization.Encoding.PEM
    ca_path, server_path = folder / "ca.pem", folder / "server.pem"
    ca_path.write_bytes(authority.sign(authority_key, hashes.SHA256()).public_bytes(pem))
    key_bytes = host_key.private_bytes(pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    server_path.write_bytes(key_bytes + server.sign(authority_key, hashes.SHA256()).public_bytes(pem))
    server_path.chmod(0o600)
    return ca_path, server_path


_AUTHORITY: Final = "tappass laboratory"
