"""Identifiers derived from what they identify, so that a repetition gives the same one."""

import hashlib
import uuid

_ALPHABET = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"  # Crockford's: no I, L, O, U to misread


def derived_uuid(*parts: str) -> str:
    """Return the same UUID (version 8, RFC 9562) for the same parts, another for any others."""
    digest = bytearray(_digest(parts, 16))
    digest[6] = digest[6] & 0x0F | 0x80
    digest[8] = digest[8] & 0x3F | 0x80
    return str(uuid.UUID(bytes=bytes(digest)))


def derived_code(length: int, *parts: str) -> str:
    """Return a code of `length` characters (5 bits each) that a person can read out on the telephone."""
    number = int.from_bytes(_digest(parts, 16), "big")
    return "".join(_ALPHABET[number >> 5 * place & 31] for place in range(length))


def case_id(system: str, message_id: str) -> str:
    """Return the number of the case that this command opens: 60 bits of its identity, in three groups."""
    code = derived_code(12, "case", system, message_id)
    return f"{code[:4]}-{code[4:8]}-{code[8:]}"


def authority_id(state: str, system: str, message_id: str) -> str:
    """Return the number of the authority that this command registers."""
    return f"{state}-{derived_code(8, 'authority', system, message_id)}"


def coordinator_id(state: str) -> str:
    """Return the number of a state's national coordinator: there is one."""
    return f"{state}-{derived_code(8, 'national coordinator', state)}"


def _digest(parts: tuple[str, ...], size: int) -> bytes:
    # Each part with its length: ("ab", "c") and ("a", "bc") are different things.
    text = "".join(f"{len(part)}:{part}" for part in parts)
    return hashlib.blake2b(text.encode(), digest_size=size, person=b"imi-exchange").digest()
