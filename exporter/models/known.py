"""The models that there are, by service and id; a model that is declared keeps its figures."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from exporter.config import Target
from exporter.models.keeping import restore
from exporter.models.states import ModelState

Key = tuple[str, str]
"""The id of a service, and that of a model of it."""


class ModelStates:
    """The state of every model, by service and id."""

    def __init__(self) -> None:
        self._states: dict[Key, ModelState] = {}
        self._kept: dict[Key, Mapping[str, Any]] = {}

    def continue_from(self, kept: Mapping[Key, Mapping[str, Any]]) -> None:
        """Let the models that are put from now on continue from *kept*, dumps by their key."""
        self._kept = dict(kept)

    def forget_kept(self) -> None:
        """Let a model that is put from now on begin anew: all that there were are known."""
        self._kept = {}

    def put(self, target: Target) -> None:
        """Have the models of *target*, and no others of its id; known ones keep their figures."""
        known = {one.id for one in target.models} if target.enabled else set()
        for key in [key for key in self._states if key[0] == target.id and key[1] not in known]:
            del self._states[key]
        for model in target.models if target.enabled else ():
            state = self._states.get((target.id, model.id))
            if state is None:
                state = self._states[target.id, model.id] = ModelState(target, model)
                restore(state, self._kept.pop((target.id, model.id), {}))
            else:
                if state.model.budget != model.budget:
                    state.left = None
                state.target, state.model = target, model

    def drop(self, service: str) -> None:
        """Forget the models of *service*."""
        for key in [key for key in self._states if key[0] == service]:
            del self._states[key]

    @property
    def keys(self) -> frozenset[Key]:
        return frozenset(self._states)

    def get(self, service: str, model: str) -> ModelState | None:
        return self._states.get((service, model))

    def of(self, service: str) -> list[ModelState]:
        """Return the models of *service*, in the order of its declaration."""
        return [state for (name, _), state in self._states.items() if name == service]

    def __iter__(self) -> Iterator[ModelState]:
        return iter(self._states.values())
