"""What a restore leaves in a service's database, and the service reads when it starts."""

from typing import Final

COLLECTION: Final = "restored"
ID: Final = "restored"
"""Of the one document in it: `epoch`, and `catching_up` until all that came after the backup has been played again."""
