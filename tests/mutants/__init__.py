"""`make mutants`: each defence is switched off by one edit, and a test has to fail for it.

The table is the YAML files of this folder: one for each part of `.github/SECURITY.md`, and one for
the alerts. A row:

    - name: key-shown-by-repr               # for the command line, unique
      promise: A key shows itself nowhere.   # one sentence
      file: exporter/secret.py
      replace: 'return f"Secret({HIDDEN})"'  # exact text, once in the file
      by: 'return f"Secret({self._value})"'  # what is there instead; it still parses
      tests: [tests/test_secret.py::test_a_secret_does_not_show_itself]

Name the fewest tests that hold the promise; one of them has to fail, not only to break. In the
ordinary suite `tests/test_mutants.py` checks the form of the table, and that each test file which
SECURITY.md calls a proof is in it. `python -m tests.mutants [-j 2] [NAME…]` runs the rows whose
names begin with a NAME, or all: a survivor is a test to sharpen, or code to remove.
"""
