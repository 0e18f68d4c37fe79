# SPDX-License-Identifier: Apache-2.0
"""How the launcher ends if it can't go on."""


class Refused(Exception):
    """PyTorch can't be served, or the arguments are wrong. The text says why and what to do."""
