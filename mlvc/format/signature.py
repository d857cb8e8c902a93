"""Signatures of transactions: OpenSSH's `sshsig`, over the transaction's bytes, in the namespace `mlvc`.

One fixed set of rules decides, the same in every clone and for ever: no configuration, no clock, no other program. Keys are
Ed25519, ECDSA (nistp256, 384, 521), RSA of at least 2,048 bits with SHA-2, and Ed25519 on a security key that was touched.
The format is OpenSSH's PROTOCOL.sshsig; those of keys are RFC 4253, 5656, 8332 and 8709, and OpenSSH's PROTOCOL.u2f.
"""

from __future__ import annotations

# hashlib is imported where it is needed: it loads OpenSSL, and few transactions are signed.
import base64
import binascii
import struct

from mlvc.errors import InvalidNameError
from mlvc.format import transaction
from mlvc.format.transaction import Envelope, Transaction

NAMESPACE = "mlvc"

_MAGIC = b"SSHSIG"
_BEGIN, _END = b"-----BEGIN SSH SIGNATURE-----", b"-----END SSH SIGNATURE-----"
_LEAST_RSA_BITS = 2048
_TOUCHED = 1
_CURVES = {"nistp256": "SHA256", "nistp384": "SHA384", "nistp521": "SHA512"}
_KINDS = ("ssh-ed25519", *(f"ecdsa-sha2-{curve}" for curve in _CURVES), "ssh-rsa", "sk-ssh-ed25519@openssh.com")


class _BadError(Exception):
    """A key or signature is malformed, or does not fit. Never leaves this module."""


class _Reader:
    """Reads SSH's wire format."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._at = 0

    def take(self, size: int) -> bytes:
        found = self._data[self._at : self._at + size]
        if len(found) != size:
            raise _BadError("it ends too early")
        self._at += size
        return found

    def number(self) -> int:
        return int(struct.unpack(">I", self.take(4))[0])

    def string(self) -> bytes:
        return self.take(self.number())

    def end(self) -> None:
        if self._at != len(self._data):
            raise _BadError("something follows its end")


def _string(data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + data


# -- keys -----------------------------------------------------------------------------------------------------------------


def public_key(text: str) -> str:
    """Returns a public key as transactions and protections hold it, `TYPE BASE64`, from a line of a `.pub` file.

    Raises:
        InvalidNameError: it is no public key, or of a kind that is not accepted.
    """
    words = text.split()
    for place, word in enumerate(words[:-1]):
        if word in _KINDS:
            try:
                wire = base64.b64decode(words[place + 1], validate=True)
                _check_key(wire, word)
            except (_BadError, binascii.Error, ValueError) as error:
                raise InvalidNameError(f"the public key {word} {words[place + 1][:12]}... is malformed: {error}") from error
            return f"{word} {base64.b64encode(wire).decode()}"
    shown = text.strip().splitlines()[0][:40] if text.strip() else ""
    raise InvalidNameError(f"'{shown}' is no public key of OpenSSH", hint=f"accepted are {', '.join(_KINDS)}; give the .pub file")


def fingerprint(key: str) -> str:
    """Returns what `ssh-keygen -l` prints for a public key: `SHA256:...`."""
    import hashlib

    wire = base64.b64decode(key.split()[1])
    return "SHA256:" + base64.b64encode(hashlib.sha256(wire).digest()).decode().rstrip("=")


def _check_key(wire: bytes, kind: str) -> None:
    reader = _Reader(wire)
    if reader.string() != kind.encode():
        raise _BadError("its name and its content disagree")
    if kind in ("ssh-ed25519", "sk-ssh-ed25519@openssh.com"):
        if len(reader.string()) != 32:
            raise _BadError("an Ed25519 key has 32 bytes")
        if kind.startswith("sk-"):
            reader.string()
    elif kind == "ssh-rsa":
        reader.string()
        bits = int.from_bytes(reader.string(), "big").bit_length()
        if bits < _LEAST_RSA_BITS:
            raise _BadError(f"an RSA key has at least {_LEAST_RSA_BITS} bits, this one {bits}")
    else:
        if reader.string() != kind.removeprefix("ecdsa-sha2-").encode():
            raise _BadError("its curve is another")
        reader.string()
    reader.end()


# -- signatures -----------------------------------------------------------------------------------------------------------


def from_armor(text: bytes) -> bytes:
    """Returns the bytes of what `ssh-keygen -Y sign` prints; ValueError when it is no signature."""
    _, begin, rest = text.partition(_BEGIN)
    inside, end, _ = rest.partition(_END)
    if not begin or not end:
        raise ValueError("no SSH signature")
    return base64.b64decode(b"".join(inside.split()), validate=True)


def is_valid(key: str, data: bytes, signature: bytes) -> bool:
    """Tells whether a signature is one of `data` by a public key, in the namespace of mlvc."""
    try:
        _verify(key, data, signature)
    except (_BadError, InvalidNameError):
        return False
    return True


def _verify(key: str, data: bytes, signature: bytes) -> None:
    import hashlib

    if public_key(key) != key:
        raise _BadError("the key is not written as it should be")
    reader = _Reader(signature)
    if reader.take(len(_MAGIC)) != _MAGIC or reader.number() != 1:
        raise _BadError("it is no sshsig of version 1")
    wire, namespace, reserved, algorithm, inner = (reader.string() for _ in range(5))
    reader.end()
    if wire != base64.b64decode(key.split()[1]):
        raise _BadError("it is by another key")
    if namespace != NAMESPACE.encode() or reserved:
        raise _BadError("it is for another purpose")
    if algorithm not in (b"sha256", b"sha512"):
        raise _BadError("its hash is not accepted")
    hashed = hashlib.new(algorithm.decode(), data).digest()
    signed = _MAGIC + _string(namespace) + _string(reserved) + _string(algorithm) + _string(hashed)
    _check(wire, inner, signed)


def _check(wire: bytes, inner: bytes, signed: bytes) -> None:
    from cryptography.exceptions import InvalidSignature

    key, signature = _Reader(wire), _Reader(inner)
    kind, algorithm, value = key.string().decode("ascii", "replace"), signature.string(), signature.string()
    try:
        if kind == "ssh-rsa":
            _check_rsa(key, algorithm, value, signed)
        elif algorithm != kind.encode():
            raise _BadError("key and signature are of different kinds")
        elif kind.startswith("ecdsa"):
            _check_ecdsa(key, value, signed)
        else:
            _check_ed25519(key, value, _touched(wire, signature, signed) if kind.startswith("sk-") else signed)
        signature.end()
    except (InvalidSignature, ValueError) as error:
        raise _BadError("it is not of these bytes") from error


def _check_ed25519(key: _Reader, value: bytes, signed: bytes) -> None:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

    Ed25519PublicKey.from_public_bytes(key.string()).verify(value, signed)


def _touched(wire: bytes, signature: _Reader, signed: bytes) -> bytes:
    """Returns what a security key signs for `signed`: it adds the application, a flag that it was touched, and a counter."""
    import hashlib

    whole = _Reader(wire)
    whole.string()
    whole.string()
    application = whole.string()
    flags, counter = signature.take(1), signature.take(4)
    if not flags[0] & _TOUCHED:
        raise _BadError("the security key was not touched")
    return hashlib.sha256(application).digest() + flags + counter + hashlib.sha256(signed).digest()


def _check_ecdsa(key: _Reader, value: bytes, signed: bytes) -> None:
    from cryptography.hazmat.primitives import hashes
    from cryptography.hazmat.primitives.asymmetric import ec
    from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature

    name = key.string().decode("ascii", "replace")
    curves = {"nistp256": ec.SECP256R1(), "nistp384": ec.SECP384R1(), "nistp521": ec.SECP521R1()}
    numbers = _Reader(value)
    r, s = (int.from_bytes(numbers.string(), "big") for _ in range(2))
    numbers.end()
    found = ec.EllipticCurvePublicKey.from_encoded_point(curves[name], key.string())
    found.verify(encode_dss_signature(r, s), signed, ec.ECDSA(getattr(hashes, _CURVES[name])()))


def _check_rsa(key: _Reader, algorithm: bytes, value: bytes, signed: bytes) -> None:
    from cryptography.hazmat.primitives import hashes
    from cryptography.hazmat.primitives.asymmetric import padding, rsa

    if algorithm not in (b"rsa-sha2-256", b"rsa-sha2-512"):
        raise _BadError("its hash is not accepted")
    exponent, modulus = (int.from_bytes(key.string(), "big") for _ in range(2))
    found = rsa.RSAPublicNumbers(exponent, modulus).public_key()
    found.verify(value, signed, padding.PKCS1v15(), hashes.SHA256() if algorithm.endswith(b"256") else hashes.SHA512())


# -- transactions ---------------------------------------------------------------------------------------------------------


def signer_of(envelope: Envelope, decoded: Transaction) -> str | None:
    """Returns the key that signed a transaction, or None for an unsigned one.

    Raises:
        NoTransactionError: it names a signer, and its signature is missing or not by that key.
    """
    if not decoded.signer:
        return None
    if not is_valid(decoded.signer, envelope.data, envelope.signature):
        raise NoTransactionError
    return decoded.signer


class NoTransactionError(Exception):
    """A copy of a signed transaction without its signature: it is never carried, appended or folded. Never reaches a user."""


def is_whole(envelope: Envelope) -> bool:
    """Tells whether an envelope holds a transaction: unsigned, or with the signature that it asks for."""
    try:
        signer_of(envelope, transaction.decode(envelope.data))
    except NoTransactionError:
        return False
    return True
