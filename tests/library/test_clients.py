"""The vendors' own clients through the registry, against a scripted API."""

from __future__ import annotations

import asyncio
import importlib
import subprocess
import sys
from collections.abc import AsyncIterator, Callable
from typing import TYPE_CHECKING, Any

import httpx
import httpx2
import pytest

from exporter import ServiceRegistry
from exporter.library import RequestFailed, UnknownServiceError
from tests.fakes import KEY
from tests.library.answers import (
    CHAT,
    CHAT_STREAM,
    DONE,
    JSON,
    MESSAGE,
    MESSAGE_STREAM,
    MODELS,
    SSE,
    chunk,
)
from tests.mischief import close, raw
from tests.patience import patient, within
from tests.sessions.calling import in_turn
from tests.vendor import Behaviour, Peer, Seen, Vendor, answer, head_of

if TYPE_CHECKING:
    import anthropic
    import openai
    from mistralai.client import Mistral
    from mistralai.client.utils import BackoffStrategy, RetryConfig

PLACEHOLDER = "the-placeholder-of-the-client"
KEYS = {"openai": KEY, "anthropic": f"sk-ant-{'a' * 30}", "mistral": "m" * 32}
PATHS = {
    "openai": "/v1/chat/completions",
    "anthropic": "/v1/messages",
    "mistral": "/v1/chat/completions",
}
BODIES: dict[str, Any] = {"openai": CHAT, "anthropic": MESSAGE, "mistral": CHAT}
ASKED: dict[str, Any] = {"model": "m", "messages": [{"role": "user", "content": "?"}]}
EACH = pytest.mark.parametrize("provider", KEYS)
OURS = pytest.mark.parametrize("provider", ["openai", "anthropic"])


@pytest.fixture(scope="module", autouse=True)
def _clients() -> None:
    """Import the clients when the first test needs them: that takes seconds.

    Every worker of a run collects this module, and only one of them runs it.
    """
    for name in ("anthropic", "openai"):
        globals()[name] = importlib.import_module(name)
    globals()["Mistral"] = importlib.import_module("mistralai.client").Mistral
    for name in ("BackoffStrategy", "RetryConfig"):
        globals()[name] = getattr(importlib.import_module("mistralai.client.utils"), name)


@pytest.fixture
async def registry() -> AsyncIterator[ServiceRegistry]:
    made = ServiceRegistry(variables={})
    yield made
    await made.stop()


async def register(
    registry: ServiceRegistry, vendor: Vendor, provider: str, **more: Any
) -> ServiceRegistry:
    """Register the service of *provider* at *vendor*, under the provider's name."""
    await registry.register_service(
        {
            "id": provider,
            "provider": provider,
            "base_url": vendor.url("/v1"),
            "api_key": KEYS[provider],
            "health_check": {"allow_private_addresses": True},
        }
        | more
    )
    return registry


def client_of(
    registry: ServiceRegistry, provider: str, url: str, library: Any = httpx2, **options: Any
) -> Any:
    """Return the client of *provider*, for the API at *url*."""
    transport = registry.httpx_transport(provider)
    http_client = library.AsyncClient(transport=transport)
    if provider == "mistral":
        made = {"api_key": PLACEHOLDER, "server_url": url, "async_client": http_client}
        return Mistral(**(made | options))
    kind = openai.AsyncOpenAI if provider == "openai" else anthropic.AsyncAnthropic
    base_url = f"{url}/v1" if provider == "openai" else url
    usual = {"api_key": PLACEHOLDER, "base_url": base_url, "http_client": http_client}
    return kind(**(usual | options))


async def said(client: Any) -> str:
    """Return what the model answers."""
    if isinstance(client, Mistral):
        return str((await client.chat.complete_async(**ASKED)).choices[0].message.content)
    if isinstance(client, openai.AsyncOpenAI):
        return str((await client.chat.completions.create(**ASKED)).choices[0].message.content)
    return str((await client.messages.create(max_tokens=9, **ASKED)).content[0].text)


async def streamed(client: Any, each: Callable[[], None] = lambda: None) -> list[str]:
    """Return the pieces of a streamed answer; call *each* after every one."""
    pieces: list[str] = []
    if isinstance(client, Mistral):
        async for event in await client.chat.stream_async(**ASKED):
            pieces.append(str(event.data.choices[0].delta.content))
            each()
    elif isinstance(client, openai.AsyncOpenAI):
        async for part in await client.chat.completions.create(stream=True, **ASKED):
            pieces.append(part.choices[0].delta.content or "")
            each()
    else:
        async with client.messages.stream(max_tokens=9, **ASKED) as stream:
            async for text in stream.text_stream:
                pieces.append(text)
                each()
    return pieces


def ends_of(vendor: Vendor) -> str:
    return vendor.url("").rstrip("/")


async def counted(registry: ServiceRegistry, provider: str) -> dict[str, float]:
    """Return how many of the user's own requests had which code."""
    found = {}
    for line in (await registry.metrics()).splitlines():
        if line.startswith("service_requests_total{") and f'service="{provider}"' in line:
            code = line.partition('code="')[2].partition('"')[0]
            found[code] = float(line.rpartition(" ")[2])
    return found


# -- what every client does -------------------------------------------------------------------


@EACH
async def test_a_chat_has_the_services_key_and_is_counted(
    vendor: Vendor, registry: ServiceRegistry, provider: str
) -> None:
    vendor.on(PATHS[provider], answer(200, BODIES[provider], JSON))
    await register(registry, vendor, provider)
    client = client_of(registry, provider, ends_of(vendor))

    found = await said(client)

    (seen,) = vendor.seen
    assert found == "Hello"
    assert seen.holds(KEYS[provider])
    assert not seen.holds(PLACEHOLDER)
    assert "Python" in str(seen.header("User-Agent")) or "python" in str(seen.header("User-Agent"))
    assert await counted(registry, provider) == {"200": 1.0}


@EACH
async def test_a_streamed_chat_flows(
    vendor: Vendor, registry: ServiceRegistry, provider: str
) -> None:
    whole = MESSAGE_STREAM if provider == "anthropic" else CHAT_STREAM
    first = whole[: whole.index(b'lo"')].rpartition(b"data: ")[0]
    more = asyncio.Event()

    async def behave(peer: Peer, seen: Seen) -> None:
        await peer.send(head_of(200, [*SSE, ("Content-Length", str(len(whole)))]))
        await peer.send(first)
        await more.wait()  # set by the reader of the first piece
        await peer.send(whole[len(first) :])

    vendor.on(PATHS[provider], behave)
    await register(registry, vendor, provider)
    client = client_of(registry, provider, ends_of(vendor))

    async with patient(10):
        pieces = await streamed(client, more.set)

    assert "".join(pieces) == "Hello"
    assert pieces[0] == "Hel"


@OURS
async def test_the_client_repeats_and_each_attempt_is_counted(
    vendor: Vendor, registry: ServiceRegistry, provider: str
) -> None:
    busy = answer(429, {"error": {"message": "slow down"}}, [*JSON, ("Retry-After-Ms", "10")])
    vendor.on(PATHS[provider], in_turn(busy, busy, answer(200, BODIES[provider], JSON)))
    await register(registry, vendor, provider)
    client = client_of(registry, provider, ends_of(vendor))

    found = await said(client)

    assert found == "Hello"
    counts = [seen.header("X-Stainless-Retry-Count") for seen in vendor.seen]
    assert counts == ["0", "1", "2"]  # three requests, and the client knows of all of them
    assert await counted(registry, provider) == {"429": 2.0, "200": 1.0}


async def test_mistrals_client_repeats_where_it_is_told_to(
    vendor: Vendor, registry: ServiceRegistry
) -> None:
    busy = answer(503, {"message": "busy"}, JSON)
    vendor.on(PATHS["mistral"], in_turn(busy, answer(200, CHAT, JSON)))
    await register(registry, vendor, "mistral")
    policy = RetryConfig("backoff", BackoffStrategy(1, 10, 1.1, 5000, 1), True)
    client = client_of(registry, "mistral", ends_of(vendor), retry_config=policy)

    assert await said(client) == "Hello"
    assert await counted(registry, "mistral") == {"503": 1.0, "200": 1.0}


@OURS
@pytest.mark.parametrize(
    ("fault", "error", "code"),
    [
        (answer(400, {"error": {"message": "no"}}, JSON), "BadRequestError", "400"),
        (answer(401, {"error": {"message": "no"}}, JSON), "AuthenticationError", "401"),
        (answer(429, {"error": {"message": "no"}}, JSON), "RateLimitError", "429"),
        (answer(500, b"<html>", [("Content-Type", "text/html")]), "InternalServerError", "500"),
        (close, "APIConnectionError", "error"),
        (raw(b"SSH-2.0-x\r\n\r\n"), "APIConnectionError", "error"),
    ],
)
async def test_a_failure_is_the_clients_own_error(
    vendor: Vendor,
    registry: ServiceRegistry,
    *,
    provider: str,
    fault: Behaviour,
    error: str,
    code: str,
) -> None:
    vendor.on(PATHS[provider], fault)
    await register(registry, vendor, provider)
    client = client_of(registry, provider, ends_of(vendor), max_retries=0)

    with pytest.raises(getattr(openai if provider == "openai" else anthropic, error)) as caught:
        await said(client)

    assert await counted(registry, provider) == {code: 1.0}
    assert KEYS[provider] not in f"{caught.value!r} {caught.value.__cause__!r}"


@OURS
async def test_a_time_limit_of_the_client_holds(
    vendor: Vendor, registry: ServiceRegistry, provider: str
) -> None:
    vendor.on(PATHS[provider], answer(200, BODIES[provider], JSON, head_delay=60))
    await register(registry, vendor, provider)
    client = client_of(registry, provider, ends_of(vendor), timeout=0.2, max_retries=1)
    kind = openai if provider == "openai" else anthropic

    with pytest.raises(kind.APITimeoutError):
        await said(client)

    assert await counted(registry, provider) == {"error": 2.0}


@OURS
async def test_the_rate_limit_holds_for_the_clients_repetitions_too(
    vendor: Vendor, registry: ServiceRegistry, provider: str
) -> None:
    busy = answer(429, {"error": {"message": "x"}}, [*JSON, ("Retry-After-Ms", "1")])
    vendor.on(PATHS[provider], busy)
    await register(registry, vendor, provider, rate_limit={"requests_per_hour": 2})
    client = client_of(registry, provider, ends_of(vendor), timeout=0.5, max_retries=3)
    kind = openai if provider == "openai" else anthropic

    with pytest.raises(kind.APITimeoutError) as caught:
        await within(30, said(client))

    assert "the rate limit leaves no room" in str(caught.value.__cause__)
    assert (len(vendor.seen), await counted(registry, provider)) == (2, {"429": 2.0})


@EACH
async def test_another_address_than_the_services_is_refused(
    vendor: Vendor, other: Vendor, registry: ServiceRegistry, provider: str
) -> None:
    await register(registry, vendor, provider)
    client = client_of(registry, provider, ends_of(other))
    options = {} if provider == "mistral" else {"max_retries": 0}
    if options:
        client = client.with_options(**options)

    with pytest.raises((RequestFailed, anthropic.APIConnectionError)) as caught:
        await said(client)

    assert "not of this service" in f"{caught.value} {caught.value.__cause__}"
    assert (vendor.seen, other.seen, await counted(registry, provider)) == ([], [], {})


@EACH
async def test_many_calls_at_once(vendor: Vendor, registry: ServiceRegistry, provider: str) -> None:
    vendor.on(PATHS[provider], answer(200, BODIES[provider], JSON))
    await register(registry, vendor, provider)
    client = client_of(registry, provider, ends_of(vendor))

    found = await asyncio.gather(*(said(client) for _ in range(30)))

    assert found == ["Hello"] * 30
    assert await counted(registry, provider) == {"200": 30.0}


@OURS
async def test_a_closed_client_ends_its_connections_and_a_new_one_works(
    vendor: Vendor, registry: ServiceRegistry, provider: str
) -> None:
    vendor.on(PATHS[provider], answer(200, BODIES[provider], JSON))
    await register(registry, vendor, provider)

    async with client_of(registry, provider, ends_of(vendor)) as client:
        await said(client)
    await vendor.until(lambda v: v.open == 0)
    with pytest.raises((RuntimeError, anthropic.APIConnectionError)):
        await said(client.with_options(max_retries=0))
    async with client_of(registry, provider, ends_of(vendor)) as client:
        assert await said(client) == "Hello"


# -- what the registry adds -------------------------------------------------------------------


@pytest.mark.parametrize("header", ["api_key", "auth_token"])
async def test_anthropics_client_may_send_its_placeholder_in_either_header(
    vendor: Vendor, registry: ServiceRegistry, header: str
) -> None:
    vendor.on(PATHS["anthropic"], answer(200, MESSAGE, JSON))
    await register(registry, vendor, "anthropic")
    given = {"api_key": None, "auth_token": None} | {header: PLACEHOLDER}
    client = client_of(registry, "anthropic", ends_of(vendor), **given)

    await said(client)

    (seen,) = vendor.seen
    assert seen.header("X-Api-Key") == KEYS["anthropic"]
    assert seen.header("Authorization") is None  # the API refuses both together


async def test_a_rotated_key_is_used_by_the_same_client(
    vendor: Vendor, registry: ServiceRegistry
) -> None:
    vendor.on(PATHS["openai"], answer(200, CHAT, JSON))
    vendor.on("/v1/models", answer(200, MODELS, JSON))
    await register(registry, vendor, "openai")
    client = client_of(registry, "openai", ends_of(vendor))
    new_key = "sk-another-9876543210-key"

    await said(client)
    await registry.rotate_api_key("openai", new_key)
    await said(client)

    chats = [seen for seen in vendor.seen if seen.path == PATHS["openai"]]
    assert [seen.header("Authorization") for seen in chats] == [
        f"Bearer {KEY}",
        f"Bearer {new_key}",
    ]


async def test_the_limits_that_a_call_reports_are_the_services(
    vendor: Vendor, registry: ServiceRegistry
) -> None:
    left = [("x-ratelimit-limit-requests", "500"), ("x-ratelimit-remaining-requests", "123")]
    vendor.on(PATHS["openai"], answer(200, CHAT, [*JSON, *left]))
    await register(registry, vendor, "openai")

    client = client_of(registry, "openai", ends_of(vendor))
    await said(client)

    page = await registry.metrics()
    (line,) = [
        line
        for line in page.splitlines()
        if line.startswith("service_rate_limit_remaining{") and 'resource="requests"' in line
    ]
    assert line.endswith(" 123")


async def test_an_older_client_on_httpx_works_too(
    vendor: Vendor, registry: ServiceRegistry
) -> None:
    vendor.on(PATHS["openai"], answer(200, CHAT_STREAM, SSE))
    await register(registry, vendor, "openai")
    client = client_of(registry, "openai", ends_of(vendor), httpx)

    assert await streamed(client) == ["Hel", "lo", ""]


async def test_a_client_without_await_works_in_a_thread(
    vendor: Vendor, registry: ServiceRegistry
) -> None:
    busy = answer(429, {"error": {"message": "x"}}, [*JSON, ("Retry-After-Ms", "1")])
    vendor.on(PATHS["openai"], in_turn(busy, answer(200, CHAT_STREAM, SSE)))
    await register(registry, vendor, "openai")
    http_client = httpx2.Client(transport=registry.httpx_sync_transport("openai"))
    url = vendor.url("/v1")
    client = openai.OpenAI(api_key=PLACEHOLDER, base_url=url, http_client=http_client)

    def work() -> str:
        parts = client.chat.completions.create(stream=True, **ASKED)
        text = "".join(part.choices[0].delta.content or "" for part in parts)
        client.close()
        return text

    assert await asyncio.to_thread(work) == "Hello"
    assert await counted(registry, "openai") == {"429": 1.0, "200": 1.0}
    assert not any(seen.holds(PLACEHOLDER) for seen in vendor.seen)


@pytest.mark.parametrize("awaits", [True, False])
async def test_a_file_is_sent_whole(
    vendor: Vendor, registry: ServiceRegistry, awaits: bool
) -> None:
    made = {"id": "f", "object": "file", "bytes": 1, "created_at": 1, "status": "processed"}
    made |= {"filename": "a.jsonl", "purpose": "batch"}
    vendor.on("/v1/files", answer(200, made, JSON))
    await register(registry, vendor, "openai")
    data, url = bytes(range(256)) * 1000, vendor.url("/v1")
    sent = {"file": ("a.jsonl", data), "purpose": "batch"}

    if awaits:
        client = client_of(registry, "openai", ends_of(vendor))
        await client.files.create(**sent)
    else:
        http_client = httpx2.Client(transport=registry.httpx_sync_transport("openai"))
        client = openai.OpenAI(api_key=PLACEHOLDER, base_url=url, http_client=http_client)
        await asyncio.to_thread(lambda: client.files.create(**sent))
        http_client.close()

    (seen,) = vendor.seen
    assert data in seen.body
    assert str(seen.header("Content-Type")).startswith("multipart/form-data; boundary=")


async def test_a_stream_ends_with_the_registry(vendor: Vendor) -> None:
    registry = ServiceRegistry(variables={})
    head = head_of(200, [*SSE, ("Content-Length", "9999")])

    async def behave(peer: Peer, seen: Seen) -> None:
        await peer.send(head + chunk("Hel"))
        await peer.reader.read()

    vendor.on(PATHS["openai"], behave)
    await register(registry, vendor, "openai")
    client = client_of(registry, "openai", ends_of(vendor), max_retries=0)
    arrived = asyncio.Event()
    reading = asyncio.ensure_future(streamed(client, arrived.set))
    await arrived.wait()

    await registry.stop()

    await vendor.until(lambda v: v.open == 0)
    with pytest.raises((httpx2.ReadError, openai.APIConnectionError)):
        await within(10, reading)
    with pytest.raises(RuntimeError, match="closed"):
        await within(10, said(client))


async def test_a_stream_that_is_cancelled_ends_its_connection(
    vendor: Vendor, registry: ServiceRegistry
) -> None:
    async def behave(peer: Peer, seen: Seen) -> None:
        await peer.send(head_of(200, [*SSE, ("Content-Length", "9999")]) + chunk("Hel"))
        await peer.reader.read()

    vendor.on(PATHS["openai"], behave)
    await register(registry, vendor, "openai")
    arrived = asyncio.Event()
    client = client_of(registry, "openai", ends_of(vendor))
    reading = asyncio.ensure_future(streamed(client, arrived.set))
    await arrived.wait()

    reading.cancel()

    await vendor.until(lambda v: v.open == 0)
    vendor.on(PATHS["openai"], answer(200, chunk("a") + DONE, SSE))
    assert await streamed(client) == ["a"]


@OURS
async def test_the_clients_own_defaults_take_the_transport(
    vendor: Vendor, registry: ServiceRegistry, provider: str
) -> None:
    vendor.on(PATHS[provider], answer(200, BODIES[provider], JSON))
    await register(registry, vendor, provider)
    kind = openai if provider == "openai" else anthropic
    http_client = kind.DefaultAsyncHttpxClient(transport=registry.httpx_transport(provider))

    client = client_of(registry, provider, ends_of(vendor), http_client=http_client)

    assert await said(client) == "Hello"
    assert await counted(registry, provider) == {"200": 1.0}


def test_the_library_works_without_the_extra() -> None:
    program = """
import sys
sys.modules["httpx2"] = sys.modules["httpx"] = None
from exporter import ServiceRegistry
registry = ServiceRegistry(variables={"OPENAI_API_KEY": "sk-made-up-0123456789"}, from_env=True)
registry.session("openai")
try:
    registry.httpx_transport("openai")
except ImportError as error:
    print(error)
"""
    command = [sys.executable, "-c", program]
    done = subprocess.run(command, capture_output=True, text=True, check=True)

    assert "tekup-service-registry[httpx]" in done.stdout


async def test_a_wrong_name_is_an_error_at_once(registry: ServiceRegistry) -> None:
    for transport in (registry.httpx_transport, registry.httpx_sync_transport):
        with pytest.raises(UnknownServiceError):
            transport("nobody")
