"""`python -m exporter`: the same as the command `service-registry`."""

import sys

from exporter.cli import main

sys.exit(main())
