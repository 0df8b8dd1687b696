"""What the services say to each other and to the world: messages, refusals, topology. No I/O here."""
