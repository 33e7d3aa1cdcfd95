"""Tests of the package as a whole."""

import subprocess
import sys


def test_import_needs_no_tensorflow():
    program = "import sys, grw_tf; sys.exit('tensorflow' in sys.modules)"
    subprocess.run([sys.executable, "-c", program], check=True)
