"""The four services, and the chassis that they run on. None imports another; they share `contracts` and `chassis`."""
