"""Signatures: those that OpenSSH makes are accepted, anything else is not, whatever was changed."""

import base64
import os
import subprocess

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mlvc.errors import InvalidNameError
from mlvc.format import signature, transaction
from mlvc.format.operations import Project
from mlvc.format.signature import NoTransactionError
from mlvc.format.transaction import Envelope, Transaction

KINDS = {"ed25519": [], "ecdsa-256": ["-b", "256"], "ecdsa-384": ["-b", "384"], "ecdsa-521": ["-b", "521"], "rsa": ["-b", "2048"]}


@pytest.fixture(scope="module")
def keys(tmp_path_factory):
    """A key of each kind: kind -> its private file."""
    folder = tmp_path_factory.mktemp("keys")
    for kind, more in KINDS.items():
        asked = ["ssh-keygen", "-q", "-t", kind.split("-")[0], *more, "-N", "", "-f", str(folder / kind), "-C", "a comment"]
        subprocess.run(asked, check=True)
    return {kind: folder / kind for kind in KINDS}


def public(path):
    return signature.public_key(path.with_name(f"{path.name}.pub").read_text())


def signed(path, data, *, namespace="mlvc", more=()):
    asked = ["ssh-keygen", "-q", "-Y", "sign", "-n", namespace, "-f", str(path), *more]
    done = subprocess.run(asked, input=data, capture_output=True, check=True)
    return signature.from_armor(done.stdout)


@pytest.mark.parametrize("kind", KINDS)
def test_what_openssh_signs_is_valid_for_these_bytes_this_key_and_this_purpose(keys, kind):
    made = signed(keys[kind], b"data")
    key = public(keys[kind])
    assert signature.is_valid(key, b"data", made)
    assert not signature.is_valid(key, b"datA", made)
    assert not signature.is_valid(key, b"data", signed(keys[kind], b"data", namespace="git"))
    other = next(k for k in KINDS if k != kind)
    assert not signature.is_valid(public(keys[other]), b"data", made)


@pytest.mark.parametrize("hashed", ["sha256", "sha512"])
def test_both_hashes_of_openssh_are_accepted(keys, hashed):
    made = signed(keys["ed25519"], b"data", more=("-O", f"hashalg={hashed}"))
    assert signature.is_valid(public(keys["ed25519"]), b"data", made)


@settings(max_examples=300, deadline=None)
@given(data=st.data())
def test_a_signature_with_any_bit_changed_or_cut_is_not_valid(keys, data):
    kind = data.draw(st.sampled_from(sorted(KINDS)))
    made = SIGNED.setdefault(kind, signed(keys[kind], b"data"))
    at = data.draw(st.integers(0, len(made) - 1))
    changed = data.draw(st.sampled_from(["bit", "cut", "longer"]))
    if changed == "bit":
        broken = bytearray(made)
        broken[at] ^= 1 << data.draw(st.integers(0, 7))
    else:
        broken = made[:at] if changed == "cut" else made + b"x"
    assert not signature.is_valid(public(keys[kind]), b"data", bytes(broken))


SIGNED = {}


@settings(max_examples=200, deadline=None)
@given(st.binary(max_size=200))
def test_noise_is_no_signature_and_raises_nothing(noise):
    wire = base64.b64encode(b"\x00\x00\x00\x0bssh-ed25519\x00\x00\x00\x20" + bytes(32)).decode()
    assert not signature.is_valid(f"ssh-ed25519 {wire}", b"data", noise)
    assert not signature.is_valid(f"ssh-ed25519 {wire}", b"data", b"SSHSIG\x00\x00\x00\x01" + noise)
    assert not signature.is_valid(noise.decode("latin-1"), b"data", noise)


def test_keys_are_read_from_their_files_with_options_and_comments(keys):
    key = public(keys["ed25519"])
    assert signature.public_key(f'no-touch-required,from="x" {key} someone@host') == key
    listed = subprocess.run(["ssh-keygen", "-l", "-f", str(keys["ed25519"])], capture_output=True, text=True, check=True).stdout
    assert signature.fingerprint(key) in listed
    for wrong in ("", "nothing", "ssh-ed25519", "ssh-ed25519 !!!!", "ssh-dss AAAA", f"ssh-rsa {key.split()[1]}", key[:-8]):
        with pytest.raises(InvalidNameError):
            signature.public_key(wrong)


def test_short_rsa_keys_are_refused(tmp_path):
    subprocess.run(["ssh-keygen", "-q", "-t", "rsa", "-b", "1024", "-N", "", "-f", str(tmp_path / "k")], check=True)
    with pytest.raises(InvalidNameError, match="2048 bits"):
        signature.public_key((tmp_path / "k.pub").read_text())


def test_a_copy_without_its_signature_is_no_transaction(keys):
    key = public(keys["ed25519"])
    data = transaction.encode(Transaction(os.urandom(16), "w", 0, "c", (), (Project("p"),), signer=key))
    whole = Envelope(data, signed(keys["ed25519"], data), (), ())
    decoded = transaction.decode(data)
    assert signature.signer_of(whole, decoded) == key
    for wrong in (b"", signed(keys["rsa"], data), signed(keys["ed25519"], b"other")):
        with pytest.raises(NoTransactionError):
            signature.signer_of(Envelope(data, wrong, (), ()), decoded)
        assert not signature.is_whole(Envelope(data, wrong, (), ()))
    unsigned = transaction.encode(Transaction(os.urandom(16), "w", 0, "c", (), (Project("p"),)))
    assert signature.signer_of(Envelope(unsigned, b"", (), ()), transaction.decode(unsigned)) is None
