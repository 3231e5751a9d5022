"""Presets: facts about known APIs, one YAML file each, found by listing this folder.

A preset fills in what a service leaves out. A preset names the vendor's pages it is from, and its
parts have a confidence mark: `doc` (the vendor's documentation), `code` (the vendor's SDK or other
source), `report` (told by others in public), `belief` (not verified). Data only: there is no code
per provider.

    >>> presets()["openai"].base_url
    'https://api.openai.com/v1'
"""

from exporter.providers.declarations import (
    Auth,
    Idempotency,
    Preset,
    PresetCheck,
    ServiceType,
)
from exporter.providers.keys import key_mistakes
from exporter.providers.models import (
    KnownPrice,
    ModelFamily,
    ModelList,
    ModelPrice,
    PresetModels,
    RetirementFact,
)
from exporter.providers.presets import load, load_file, presets, use_folder
from exporter.providers.promises import Counting, Credit, Promise
from exporter.settings import SettingsError

__all__ = [
    "Auth",
    "Counting",
    "Credit",
    "Idempotency",
    "KnownPrice",
    "ModelFamily",
    "ModelList",
    "ModelPrice",
    "Preset",
    "PresetCheck",
    "PresetModels",
    "Promise",
    "RetirementFact",
    "ServiceType",
    "SettingsError",
    "key_mistakes",
    "load",
    "load_file",
    "presets",
    "use_folder",
]
