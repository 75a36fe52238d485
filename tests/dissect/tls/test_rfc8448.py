"""RFC 8448 §3, the simple handshake: both hellos byte for byte, the protected records as long as there."""

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
