"""Translation: what casework and the others say in codes, in the words of its reader. It knows no rights."""
