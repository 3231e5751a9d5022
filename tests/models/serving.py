"""A service with models at a scripted vendor, for tests of the whole application."""

from __future__ import annotations

import json
from typing import Any

from exporter.models import ModelState
from tests.api.managed import Client
from tests.vendor import Vendor

KEY = "sk-0123456789-sentinel-0123456789"
LISTED = {"object": "list", "data": [{"id": "m", "object": "model"}]}


def config(vendor: Vendor, *ids: str, **more: Any) -> str:
    """Return a service `ai` with the models *ids*, and *more* of its settings of a model."""
    price = {"input": 1, "output": 2}
    models = [{"id": one, "price": price, "timeout": "2s", **more} for one in ids]
    service = {
        "id": "ai",
        "provider": "openai",
        "base_url": vendor.url("/v1"),
        "api_key": KEY,
        "health_check": {"allow_private_addresses": True, "interval": "1h"},
        "models": models,
    }
    return json.dumps({"services": [service]})


def state(client: Client, model: str = "m") -> ModelState:
    found = client.app.model_states.get("ai", model)
    assert found is not None
    return found
