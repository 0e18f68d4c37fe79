# SPDX-License-Identifier: Apache-2.0
"""Functions as tests, for programs that are tested from the outside."""

import concurrent.futures


def passes(test):
    try:
        test()
    except Exception as error:  # one that fails must not keep the others from running
        print(f"FAILED {test.__name__}: {error!r}", flush=True)
        return False
    return True


def run_tests(tests, at_once=1):
    """Runs all, says which fail and how many, and returns what the program's status is to be."""
    with concurrent.futures.ThreadPoolExecutor(at_once) as threads:
        passed = sum(threads.map(passes, tests))
    print(f"{passed} passed, {len(tests) - passed} failed")
    return 0 if passed == len(tests) else 1
