"""Attacks with keys under which a signature proves nothing."""

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from tappass_host.policy.errors import KeyRefusedError
from tappass_host.policy.trust.keys import PublicKey, generate, private_from_pem

P = 2**255 - 19
L = 2**252 + 27742317777372353535851937790883648493
D = -121665 * pow(121666, -1, P) % P
IDENTITY = (0, 1)


def add(a, b):
    """Edwards addition, straight from RFC 8032 section 5.1 (complete: no special cases)."""
    (x1, y1), (x2, y2) = a, b
    k = D * x1 * x2 * y1 * y2 % P
    return (x1 * y2 + x2 * y1) * pow(1 + k, -1, P) % P, (y1 * y2 + x1 * x2) * pow(1 - k, -1, P) % P


def times(n, point):
    total = IDENTITY
    while n:
        total = add(total, point) if n & 1 else total
        point, n = add(point, point), n >> 1
    return total


def point_at(y):
    """Some point with this y, or None off the curve; P = 5 mod 8."""
    square = (y * y - 1) * pow(D * y * y + 1, -1, P) % P
    x = pow(square, (P + 3) // 8, P)
    if x * x % P != square:
        x = x * pow(2, (P - 1) // 4, P) % P
    return (x, y) if x * x % P == square else None


def torsion():
    """The eight points of small order: multiply any point by the large prime, until one has order 8."""
    for y in range(2, 100):
        point = point_at(y)
        if point and times(4, generator := times(L, point)) != IDENTITY:
            return {times(n, generator) for n in range(8)}
    raise AssertionError


def encodings(point):
    """Every 32 bytes that a lenient decoder reads as this point."""
    x, y = point
    signs = (0, 1) if x == 0 else (x & 1,)
    ys = [v for v in (y, y + P) if v < 2**255]
    return {(v | sign << 255).to_bytes(32, "little") for v in ys for sign in signs}


SMALL_ORDER = sorted({data for point in torsion() for data in encodings(point)})


def test_the_list_of_weak_keys_is_whole():
    assert len(torsion()) == 8
    assert all(times(8, point) == IDENTITY for point in torsion())
    # 8 canonical; 2 more spell x = 0 with the sign set; y + p fits for y = 0 (2 points) and 1 (2 signs).
    assert len(SMALL_ORDER) == 14


@pytest.mark.parametrize("raw", SMALL_ORDER, ids=lambda raw: raw.hex())
def test_small_order_key(raw):
    with pytest.raises(KeyRefusedError, match=r"small order|not canonical"):
        PublicKey(raw)


def test_one_signature_for_every_message():
    """The attack that worked: R = identity, S = 0 under the identity as public key."""
    identity = (1).to_bytes(32, "little")
    forged = identity + bytes(32)
    naive = Ed25519PublicKey.from_public_bytes(identity)
    naive.verify(forged, b"allow everything")
    naive.verify(forged, b"any other policy")
    with pytest.raises(KeyRefusedError, match="small order 1: anyone can forge"):
        PublicKey(identity)


def test_a_root_that_lists_a_small_order_key(sim):
    document = sim.root_document(2)
    document["roles"]["policy"]["keys"][1]["public"] = "ed25519:" + (1).to_bytes(32, "little").hex()
    with pytest.raises(KeyRefusedError) as caught:
        sim.rotate(sim.root_envelope(2, roles=document["roles"]))
    assert caught.value.pointer == "/roles/policy/keys/1/public"


REFUSED = {
    "y = p": (P.to_bytes(32, "little"), "not canonical"),
    "y = p + 3, on the curve": ((P + 3).to_bytes(32, "little"), "not canonical"),
    "y = 2^255 - 1": ((2**255 - 1).to_bytes(32, "little"), "not canonical"),
    "all ones": (b"\xff" * 32, "not canonical"),
    "not on the curve": ((2).to_bytes(32, "little"), "not a point"),
    "too short": (bytes(31), "32 bytes"),
    "too long": (bytes(33), "32 bytes"),
    "empty": (b"", "32 bytes"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_refused_key(name):
    raw, why = REFUSED[name]
    with pytest.raises(KeyRefusedError, match=why):
        PublicKey(raw)


def test_curve_check_agrees_with_the_arithmetic():
    for y in range(2, 60):
        raw = y.to_bytes(32, "little")
        if point_at(y):
            assert PublicKey(raw).raw == raw
        else:
            with pytest.raises(KeyRefusedError, match="not a point"):
                PublicKey(raw)


GOOD = generate(bytes(range(32))).public.text
SPELLINGS = {
    "capitals": "ed25519:" + GOOD.removeprefix("ed25519:").upper(),
    "prefix missing": GOOD.removeprefix("ed25519:"),
    "prefix in capitals": "ED" + GOOD[2:],
    "other algorithm": GOOD.replace("ed25519", "ed448"),
    "blank inside": GOOD[:20] + " " + GOOD[20:-1],
    "one digit short": GOOD[:-1],
    "one byte long": GOOD + "00",
    "fullwidth digit": GOOD[:-1] + "\uff10",
    "empty": "",
}


@pytest.mark.parametrize("name", SPELLINGS)
def test_public_key_has_one_spelling(name):
    with pytest.raises(KeyRefusedError):
        PublicKey.parse(SPELLINGS[name])


def test_rfc_8032_test_vector():
    # RFC 8032 section 7.1, test 2.
    seed = bytes.fromhex("4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb")
    public = "3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c"
    signature = (
        "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da"
        "085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aeeb00d291612bb0c00"
    )
    key = generate(seed)
    assert key.public.raw.hex() == public
    assert key.sign(b"\x72").hex() == signature
    assert key.public.verifies(bytes.fromhex(signature), b"\x72")


def test_malleated_signature():
    """S + L is the same number to a careless verifier: a second signature without the key."""
    key = generate(bytes(32))
    honest = key.sign(b"m")
    malleated = honest[:32] + (int.from_bytes(honest[32:], "little") + L).to_bytes(32, "little")
    assert key.public.verifies(honest, b"m")
    assert not key.public.verifies(malleated, b"m")


@pytest.mark.parametrize("length", [0, 63, 65])
def test_signature_of_another_length(length):
    key = generate(bytes(32))
    assert not key.public.verifies((key.sign(b"m") + b"\x00")[:length], b"m")


def test_key_files_are_standard_pem():
    key = generate(bytes(range(32)))
    assert key.pem().startswith(b"-----BEGIN PRIVATE KEY-----\n")
    assert key.public.pem().startswith(b"-----BEGIN PUBLIC KEY-----\n")
    assert private_from_pem(key.pem()).raw() == bytes(range(32))
    assert PublicKey.from_pem(key.public.pem()) == key.public
    assert PublicKey.parse(key.public.text) == key.public


def test_encrypted_key_file_opens_with_its_passphrase_only():
    key = generate(bytes(range(32)))
    plain = serialization.load_pem_private_key(key.pem(), None)
    data = plain.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.BestAvailableEncryption(b"secret"),
    )
    assert private_from_pem(data, passphrase=b"secret").public == key.public
    for passphrase in (None, b"guess"):
        with pytest.raises(KeyRefusedError):
            private_from_pem(data, passphrase=passphrase)


def test_other_kinds_of_key_files():
    other = ec.generate_private_key(ec.SECP256R1())
    private = other.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    public = other.public_key().public_bytes(
        serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    for data in (private, public, b"", b"-----BEGIN PRIVATE KEY-----\n"):
        with pytest.raises(KeyRefusedError):
            private_from_pem(data)
        with pytest.raises(KeyRefusedError):
            PublicKey.from_pem(data)


def test_small_order_key_in_a_pem_file():
    weak = Ed25519PublicKey.from_public_bytes((1).to_bytes(32, "little"))
    data = weak.public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
    with pytest.raises(KeyRefusedError, match="small order"):
        PublicKey.from_pem(data)


@pytest.mark.parametrize("length", [0, 31, 33, 64])
def test_generate_needs_exactly_its_entropy(length):
    with pytest.raises(KeyRefusedError):
        generate(bytes(length))


def test_a_private_key_does_not_print():
    key = generate(bytes(range(32)))
    assert bytes(range(32)).hex() not in repr(key)
    assert key.public.key_id in repr(key)
