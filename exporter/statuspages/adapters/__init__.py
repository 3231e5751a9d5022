"""One file for each kind of status page: a function without I/O from its body to a `Reading`.

A file has `PATH`, the usual path of the data below the page's URL, and `read(body,
component_filter, now)`. Where the list of incidents is apart it also has `INCIDENTS_PATH` and
`read_incidents`. On data of an unexpected form they may raise LookupError, TypeError,
AttributeError or ValueError: `read_page` turns them into UNKNOWN. An incident is `posted` only
by a time that its author cannot choose, as far as that is known of the product.
"""

from exporter.statuspages.incidents import Reading
from exporter.statuspages.reading import path_of, read, read_further, read_page
from exporter.statuspages.states import State

__all__ = ["Reading", "State", "path_of", "read", "read_further", "read_page"]
