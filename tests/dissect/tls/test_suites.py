"""The registry against Wireshark's, where there is one; what names imply; groups."""

import shutil
import subprocess

import pytest
from wiretally.dissect.tls import protection, suites


def test_what_protection_adds():
    by_name = {name: code for code, name in suites.NAMES.items()}
    for name, version, expected in (
        ("AES_128_GCM_SHA256", 0x0304, (17, True)),
        ("AES_128_CCM_8_SHA256", 0x0304, (9, True)),
        ("AES_128_GCM_SHA256", 0xFEFC, (17, True)),
        ("SHA384_SHA384", 0x0304, (49, True)),
        ("RSA_WITH_AES_128_GCM_SHA256", 0x0303, (24, True)),
        ("ECDHE_ECDSA_WITH_AES_128_CCM_8", 0xFEFD, (16, True)),
        ("RSA_WITH_RC4_128_MD5", 0x0301, (16, True)),
        ("RSA_WITH_NULL_SHA256", 0x0303, (32, True)),
        ("RSA_WITH_AES_128_CBC_SHA", 0x0301, (28, False)),  # no IV of its own: RFC 2246 §6.2.3.2
        ("RSA_WITH_AES_128_CBC_SHA", 0x0302, (44, False)),
        ("RSA_WITH_AES_128_CBC_SHA", 0xFEFF, (44, False)),
        ("RSA_WITH_3DES_EDE_CBC_SHA", 0x0303, (32, False)),
        ("ECDHE_RSA_WITH_AES_256_CBC_SHA384", 0x0303, (72, False)),
    ):
        assert protection.overhead(version, by_name[name]) == expected, name
    assert protection.overhead(0x0303, 0xFFFF) == (24, False)
    assert protection.overhead(0x0304, 0xFFFF) == (17, False)


def test_the_hash_of_a_finished():
    assert protection.is_finished(0x1301, 53, 17)
    assert not protection.is_finished(0x1301, 69, 17)
    assert protection.is_finished(0x1302, 69, 17)
    assert protection.is_finished(0, 53, 17)
    assert protection.is_finished(0, 69, 17)
    assert not protection.is_finished(0, 54, 17)


def test_groups_that_a_quantum_computer_does_not_break():
    assert {0x11EB, 0x11EC, 0x11ED, 0x6399, 0x639A, 0x0201} <= set(suites.POST_QUANTUM)
    assert not {0x001D, 0x0017, 0x0100} & set(suites.POST_QUANTUM)
    assert suites.group_name(0x11EC) == "X25519MLKEM768"
    assert suites.group_name(0x7777) == "0x7777"
    assert suites.suite_name(0x7777) == "0x7777"


@pytest.mark.skipif(not shutil.which("tshark"), reason="needs tshark")
def test_names_as_wireshark_has_them():
    table = subprocess.run(["tshark", "-G", "values"], capture_output=True, text=True, check=True).stdout
    theirs = {}
    for line in table.splitlines():
        parts = line.split("\t")
        if parts[:2] == ["V", "tls.handshake.ciphersuite"]:
            theirs[int(parts[2], 0)] = parts[3]
    assert len(theirs) > 300
    assert {code: name for code, name in suites.NAMES.items() if code in theirs and f"TLS_{name}" != theirs[code]} == {}
