"""A service's process from the files of an older release, in `IMI_TEST_FOLDER`."""

import os
import runpy
import sys

if __name__ == "__main__":
    sys.path.insert(0, os.environ["IMI_TEST_FOLDER"])
    runpy.run_module(os.environ["IMI_TEST_MODULE"], run_name="__main__")
