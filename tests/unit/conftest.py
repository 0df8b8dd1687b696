"""How properties are tried here: no example is judged by how long it took, and a failure can be had again."""

from hypothesis import settings

settings.register_profile("unit", deadline=None, max_examples=80, print_blob=True)
settings.load_profile("unit")
