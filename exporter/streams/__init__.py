"""Streamed answers of models: events cut from bytes, and what they mean, as data by protocol."""

from exporter.streams.declarations import EventRule, Finish, StreamProtocol, UsagePaths
from exporter.streams.frames import EventTooLargeError, Frame, Frames
from exporter.streams.presets import PROTOCOLS, protocol
from exporter.streams.reading import Note, Reading, StreamReader, Usage
from exporter.streams.requests import body_of, path_of
from exporter.streams.steps import Step, course

__all__ = [
    "PROTOCOLS",
    "EventRule",
    "EventTooLargeError",
    "Finish",
    "Frame",
    "Frames",
    "Note",
    "Reading",
    "Step",
    "StreamProtocol",
    "StreamReader",
    "Usage",
    "UsagePaths",
    "body_of",
    "course",
    "path_of",
    "protocol",
]
