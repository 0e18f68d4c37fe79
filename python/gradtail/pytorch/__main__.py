# SPDX-License-Identifier: Apache-2.0
"""Runs the launcher as a module: python -m gradtail.pytorch."""
import sys

from .launcher import main

sys.exit(main())
