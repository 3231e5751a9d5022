"""Importers: the configuration of another tool as one of ours, and what had no equivalent.

Takes text, returns text; on disk it only looks whether the TLS files exist that a text names.
Secrets, found by name or by looks, become variables: neither the result nor a message has one.
"""

from exporter.importers.importing import FORMATS, TARGET_TAKERS, import_text
from exporter.importers.report import NoImportError
from exporter.importers.result import Imported, Setting

__all__ = ["FORMATS", "TARGET_TAKERS", "Imported", "NoImportError", "Setting", "import_text"]
