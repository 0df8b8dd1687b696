"""For member-state systems and operators: the SDK (`client.system`) and the command line `imi`."""
