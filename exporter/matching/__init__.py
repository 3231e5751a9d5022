"""Patterns (RE2, linear time) and paths (JSONPath, RFC 9535) in hostile text; counted steps."""

from exporter.matching.beside import Beside
from exporter.matching.data import (
    MOST_VALUES,
    NO_JSON,
    TOO_LARGE,
    RepeatedNameError,
    TooManyValuesError,
    is_json,
    json_in_turns,
    json_of,
    number_of,
)
from exporter.matching.evaluation import MOST_STEPS
from exporter.matching.paths import UnsearchableError, json_values, path_mistake
from exporter.matching.patterns import Groups, groups_of, pattern_matches, pattern_mistake

__all__ = [
    "MOST_STEPS",
    "MOST_VALUES",
    "NO_JSON",
    "TOO_LARGE",
    "Beside",
    "Groups",
    "RepeatedNameError",
    "TooManyValuesError",
    "UnsearchableError",
    "groups_of",
    "is_json",
    "json_in_turns",
    "json_of",
    "json_values",
    "number_of",
    "path_mistake",
    "pattern_matches",
    "pattern_mistake",
]
