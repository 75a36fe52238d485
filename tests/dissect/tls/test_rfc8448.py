"""RFC 8448: hellos byte for byte, the protected records as long as there.

§3 the simple handshake, §4 one resumed with early data, §5 one with a HelloRetryRequest. Copies of the traces are held to
what makes them traces: the binder of §4 is computed from its key, the second hello of §5 brings the cookie back.
"""

import hashlib
import hmac

from crafting.packets import Connection, dissect, hello

CLIENT = bytes.fromhex("""
    16030100c4010000c00303cb34ecb1e78163ba1c38c6dacb196a6dffa21a8d9912ec18a2ef6283024dece7000006130113031302010000910000000b
    0009000006736572766572ff01000100000a00140012001d0017001800190100010101020103010400230000003300260024001d002099381de560e4
    bd43d23d8e435a7dbafeb3c06e51c13cae4d5413691e529aaf2c002b0003020304000d0020001e040305030603020308040805080604010501060102
    0104020502060202 02002d00020101001c00024001""")
SERVER = bytes.fromhex("""
    160303005a020000560303a6af06a4121860dc5e6e60249cd34c95930c8ac5cb1434dac155772ed3e2692800130100002e00330024001d0020c98288
    76112095fe66762bdbf7c672e156d6cc253b833df1dd69b1b04e751f0f002b00020304""")
FLIGHT, FINISHED, TICKET, DATA, ALERT = 674, 53, 222, 67, 19  # lengths of the records of §3


def protected(size):
    return hello.record(hello.APPLICATION_DATA, bytes(size))


def test_the_simple_handshake():
    c = Connection().open().send(CLIENT).send(SERVER + protected(FLIGHT), up=False).send(protected(FINISHED))
    c.send(protected(TICKET), up=False).send(protected(DATA)).send(protected(DATA), up=False)
    c.send(protected(ALERT)).send(protected(ALERT), up=False).close()
    answer = dissect(c.items)
    flow, row = answer.one("flows"), answer.one("tls")
    assert (row["sni"], row["hello_bytes"], row["ciphers"], row["versions"]) == ("server", 196, 3, ["1.3"])
    assert (row["post_quantum"], row["ech"], row["resumption"], row["early_data"]) == (False, "none", False, False)
    assert (flow["tls_version"], flow["tls_cipher"], flow["tls_group"]) == ("1.3", "TLS_AES_128_GCM_SHA256", "x25519")
    assert flow["tls_resumed"] is False
    assert flow["up_app_bytes"] == 50
    assert flow["down_app_bytes"] == 50 + TICKET - 17  # a ticket cannot be told from data
    assert flow["app_exact"]


def lines(text):
    return bytes.fromhex("".join(text.split()))


# §4: the hello up to its binders, their list, the key that §3's ticket gave
RESUMED_HELLO = lines("""
    010001fc03031bc3ceb6bbe39cff938355b5a50adb6db21b7a6af649d7b4bc419d7876487d95000006130113031302010001cd0000000b0009000006
    736572766572ff01000100000a00140012001d00170018001901000101010201030104003300260024001d0020e4ffb68ac05f8d96c99da26698346c
    6be16482badddafe051a66b4f18d668f0b002a0000002b0003020304000d0020001e0403050306030203080408050806040105010601020104020502
    06020202002d00020101001c0002400100150057""") + bytes(87) + lines("""
    002900dd00b800b22c035d829359ee5ff7af4ec900000000262a6494dc486d2c8a34cb33fa90bf1b0070ad3c498883c9367c09a2be785abc55cd2260
    97a3a982117283f82a03a143efd3ff5dd36d64e861be7fd61d2827db279cce145077d454a3664d4e6da4d29ee03725a6a4dafcd0fc67d2aea7052951
    3e3da2677fa5906c5b3f7d8f92f228bda40dda721470f9fbf297b5aea617646fac5c03272e970727c621a79141ef5f7de6505e5bfbc388e933436940
    93934ae4d357fad6aacb""")
BINDERS = lines("0021203add4fb2d8fdf822a0ca3cf7678ef5e88dae990141c5924d57bb6fa31b9e5f9d")
RESUMPTION_KEY = lines("4ecd0eb6ec3b4d87f5d6028f922ca4c5851a277fd41311c9e62d2c9492e1c4f3")
RESUMED_SERVER = lines("""
    16030300600200005c03033ccfd2dec890222763472ae8136777c9d7358777bb66e91ea5122495f559ea2d00130100003400290002000000330024
    001d0020121761ee42c333e1b9e77b60dd57c2053cd94512ab47f115e86eff50942cea31002b00020304""")
EARLY, EXTENSIONS_AND_FINISHED, END_OF_EARLY = 23, 97, 21  # lengths of the records of §4: 6 bytes of data in the first

# §5
COOKIE = lines("""
    71dcd04bb88bc3189119398a00000000eefafc76c146b823b096f8aacad365dd0030953f4edf625636e5f21bb2e23fcc654b1b5b40318d10d137abcb
    b87574e36e8a1f025f7dfa5d6e50781b5eda4aa15b0c8be778257d16aa3030e9e7841dd9e4c0342267e8ca0caf571fb2b7cff0f934b0""")
FIRST = lines("""
    16030100b4010000b00303b0b1c5a5aa37c5919f2ed1d5c6fff7fcb7849716945a2b8cee9258a346677b6f000006130113031302010000810000000b
    0009000006736572766572ff01000100000a00080006001d00170018003300260024001d0020e8e8e3f3b93a25ed97a14a7dcacb8a272c6288e585c6
    484d05262fcad062ad1f002b0003020304000d0020001e040305030603020308040805080604010501060102010402050206020202002d0002010100
    1c00024001""")
RETRY = lines("""
    16030300b0020000ac0303cf21ad74e59a6111be1d8c021e65b891c2a211167abb8c5e079e09e2c8a8339c001301000084003300020017002c0074
    0072""") + COOKIE + lines("002b00020304")
SECOND = lines("""
    1603030200010001fc0303b0b1c5a5aa37c5919f2ed1d5c6fff7fcb7849716945a2b8cee9258a346677b6f000006130113031302010001cd0000000b
    0009000006736572766572ff01000100000a00080006001d001700180033004700450017004104a6da7392ec591e17abfd535964b99894d13befb221
    b3def2ebe3830eac8f0151812677c4d6d2237e85cf01d6910cfb83954e76ba7352830534159897e8065780002b0003020304000d0020001e04030503
    0603020308040805080604010501060102010402050206020202002c00740072""") + COOKIE + lines(
    "002d00020101001c00024001001500af") + bytes(175)
CHOSEN = lines("""
    160303007b020000770303bb341d847fd789c47c387172dc0c9bf147fccacb5043d86ca4c598d3ff571b9800130100004f003300450017004104583e
    054b7a66672ae020ad9d2686fcc85b5ad41a134a0f03ee72b893052bd85b4c8de6776f5b04ac07d83540eab3e3d9c547bc6528c4317d294686093a6c
    ad7d002b00020304""")
RETRIED_FLIGHT = 662


def expanded(secret, label, context):
    """HKDF-Expand-Label of 32 octets (RFC 8446 §7.1)."""
    name = b"tls13 " + label
    return hmac.digest(secret, bytes([0, 32, len(name)]) + name + bytes([len(context)]) + context + b"\1", "sha256")


def test_the_copies_are_whole():
    early = hmac.digest(bytes(32), RESUMPTION_KEY, "sha256")
    binder = expanded(early, b"res binder", hashlib.sha256(b"").digest())
    finished = expanded(binder, b"finished", b"")
    assert hmac.digest(finished, hashlib.sha256(RESUMED_HELLO).digest(), "sha256") == BINDERS[3:]
    assert len(RESUMED_HELLO + BINDERS) == 512
    for record in (RESUMED_SERVER, FIRST, RETRY, SECOND, CHOSEN):
        assert len(record) == 5 + int.from_bytes(record[3:5], "big") == 9 + int.from_bytes(record[6:9], "big")


def test_a_handshake_resumed_with_early_data():
    c = Connection().open().send(b"\x16\x03\x01\x02\x00" + RESUMED_HELLO + BINDERS + protected(EARLY))
    c.send(RESUMED_SERVER + protected(EXTENSIONS_AND_FINISHED), up=False)
    c.send(protected(END_OF_EARLY) + protected(FINISHED)).send(protected(DATA)).send(protected(DATA), up=False)
    c.send(protected(ALERT)).send(protected(ALERT), up=False).close()
    answer = dissect(c.items)
    flow, row = answer.one("flows"), answer.one("tls")
    assert (row["sni"], row["hello_bytes"], row["resumption"], row["early_data"]) == ("server", 512, True, True)
    assert (flow["tls_version"], flow["tls_cipher"], flow["tls_group"]) == ("1.3", "TLS_AES_128_GCM_SHA256", "x25519")
    assert flow["tls_resumed"] is True
    assert flow["up_app_bytes"] == 6 + 50
    assert flow["down_app_bytes"] == 50


def test_a_handshake_that_is_asked_for_again():
    c = Connection().open().send(FIRST).send(RETRY, up=False).send(SECOND)
    c.send(CHOSEN + protected(RETRIED_FLIGHT), up=False).send(protected(FINISHED))
    c.send(protected(ALERT)).send(protected(ALERT), up=False).close()
    answer = dissect(c.items)
    flow, rows = answer.one("flows"), answer.tables["tls"].to_dicts()
    assert [(row["sni"], row["hello_bytes"], row["resumption"]) for row in rows] == [("server", 180, False), ("server", 512, False)]
    assert (flow["tls_version"], flow["tls_cipher"], flow["tls_group"]) == ("1.3", "TLS_AES_128_GCM_SHA256", "secp256r1")
    assert (flow["up_app_bytes"], flow["down_app_bytes"]) == (0, 0)
