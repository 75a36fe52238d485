"""TLS handshake messages and records."""
