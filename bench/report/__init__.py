# SPDX-License-Identifier: Apache-2.0
"""Measures, judges, prints, stores and draws what tools/bench runs."""
