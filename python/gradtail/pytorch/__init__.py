# SPDX-License-Identifier: Apache-2.0
"""gradtail-pytorch: runs a command whose PyTorch carries its autograd metadata in trailers."""
from .launcher import main

__all__ = ["main"]
