"""QUIC: the ClientHello inside Initial packets."""
