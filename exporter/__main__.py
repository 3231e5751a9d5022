"""`python -m exporter` is the command service-registry."""

import sys

from exporter.cli import main

sys.exit(main())
