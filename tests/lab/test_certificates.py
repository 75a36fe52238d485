"""Chains that another implementation accepts for the names in them, and for no other."""

import base64
import hashlib
import shutil
import ssl
import subprocess

import pytest
from wiretally.lab.certificates import make_authority

NAMES = ["a.example", "b.example"]


@pytest.mark.skipif(shutil.which("openssl") is None, reason="openssl is not installed")
def test_openssl_accepts_each_leaf_for_its_own_name(tmp_path):
    authority = make_authority(tmp_path, NAMES)
    for name in NAMES:
        for asked, accepted in ((name, True), ("c.example", False)):
            chain = str(tmp_path / f"{name}.pem")
            command = [
                "openssl",
                "verify",
                "-x509_strict",
                "-CAfile",
                str(authority.certificate),
                "-verify_hostname",
                asked,
            ]
            done = subprocess.run([*command, chain], capture_output=True, check=False, timeout=20)
            assert (done.returncode == 0) == accepted, done.stderr


def test_the_pin_is_the_hash_of_the_issuers_key(tmp_path):
    authority = make_authority(tmp_path, NAMES)
    der = ssl.PEM_cert_to_DER_cert(authority.certificate.read_text())
    pin = base64.b64decode(authority.pin)
    keys = (der[at : at + 91] for at in range(len(der)))  # a P-256 SubjectPublicKeyInfo has 91 bytes
    assert pin in {hashlib.sha256(key).digest() for key in keys}


def test_keys_are_for_their_owner_only(tmp_path):
    make_authority(tmp_path, NAMES)
    assert {(tmp_path / f"{name}.pem").stat().st_mode & 0o777 for name in NAMES} == {0o600}
