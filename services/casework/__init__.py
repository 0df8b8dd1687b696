"""Casework: routes requests for information between authorities, and keeps each case for what it is."""
