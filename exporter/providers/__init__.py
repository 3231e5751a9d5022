"""Presets: facts about known APIs, one YAML file each, found by listing this folder.

A preset fills what a service leaves out. Every fact carries its source and a confidence mark:
`doc` (the vendor's documentation), `code` (the vendor's SDK or other source), `belief` (not
verified). Data only: there is no code per provider.
"""

from exporter.providers.declarations import (
    Auth,
    Preset,
    PresetCheck,
    ServiceType,
)
from exporter.providers.keys import key_mistakes
from exporter.providers.presets import load, presets
from exporter.settings import SettingsError

__all__ = [
    "Auth",
    "Preset",
    "PresetCheck",
    "ServiceType",
    "SettingsError",
    "key_mistakes",
    "load",
    "presets",
]
