"""Each kind of status page as a pure function from its body to a state; a file each.

A file has `PATH`, where the data usually is below the page's URL, and `read(body,
component_filter)`, which may raise whatever reading strange data raises.
"""

from exporter.statuspages.reading import path_of, read
from exporter.statuspages.states import State

__all__ = ["State", "path_of", "read"]
