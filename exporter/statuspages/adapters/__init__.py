"""One file for each kind of status page: a function without I/O from its body to a state.

A file has `PATH`, the usual path of the data below the page's URL, and `read(body,
component_filter)`. On data of an unexpected form `read` may raise LookupError, TypeError,
AttributeError or ValueError: `reading.read` turns them into UNKNOWN.
"""

from exporter.statuspages.reading import path_of, read
from exporter.statuspages.states import State

__all__ = ["State", "path_of", "read"]
