"""A system's own password, and the salted hash of it that travels instead."""

import base64
import hashlib
import secrets


def new_password() -> str:
    """Return a password of 192 random bits."""
    return secrets.token_urlsafe(24)


def password_hash(password: str) -> str:
    """Return the salted hash as RabbitMQ keeps it (SHA-256): base64 of four bytes of salt and the digest."""
    salt = secrets.token_bytes(4)
    return base64.b64encode(salt + hashlib.sha256(salt + password.encode()).digest()).decode()
