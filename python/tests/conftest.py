# SPDX-License-Identifier: Apache-2.0
"""Finds the reader and writer in pure Python that the package is compared with."""

import pathlib
import sys

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests" / "golden"))
