"""The limit: a case's messages and writes by C programs and bulks alone. Nothing decides, renders or encrypts here."""
