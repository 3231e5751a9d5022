"""Importers: the configuration of another tool as one of ours, and what had no equivalent.

Pure: takes text, returns text. No secret of the foreign file is in what comes out, in a message or
in the name of anything; a variable stands in its place.
"""

from exporter.importers.importing import FORMATS, TARGET_TAKERS, import_text
from exporter.importers.report import NoImportError
from exporter.importers.result import Imported, Setting

__all__ = ["FORMATS", "TARGET_TAKERS", "Imported", "NoImportError", "Setting", "import_text"]
