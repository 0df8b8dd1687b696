"""The exchange on one machine: its servers for tests, demonstrations and development."""
