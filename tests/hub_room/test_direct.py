"""The quick way to large parts: used when it can be, given up when it cannot, and never a way around the rules."""

import socket

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from hf_crosssight.hub import HubClient
from hf_crosssight.hub.direct import DirectConnections
from hf_crosssight.hub.weight_files import TensorBlock, repo_weights
from tests.hub_routes import Routes

SIZE = 1_000_000


@pytest.fixture(params=[False, True], ids=["hub", "cdn"])
def model(request, hub_factory, monkeypatch):
    """A model of 8 MB in two tensors: (the Hub, a client, its weights)."""
    hub = hub_factory(cdn=request.param, tokens={"good": "anna"}, gated={"acme/tiny-resnet": {"anna"}})
    place = hub.folder.root / "models" / "acme" / "tiny-resnet" / "model.safetensors"
    save_file({name: torch.arange(SIZE, dtype=torch.float32) for name in "ab"}, place)
    client = HubClient(token="good")
    return hub, client, repo_weights(client, client.resolve("acme/tiny-resnet"))


def agents(monkeypatch):
    """Which clients ask for weights: whether by the quick way (which opens connections by itself) or not."""
    ways = []
    ask = DirectConnections.ask

    def watched(self, url, headers, timeout):
        answer = ask(self, url, headers, timeout)
        ways.append(url)
        return answer

    monkeypatch.setattr(DirectConnections, "ask", watched)
    return ways


def check(files, number=SIZE):
    pieces = list(files.read([TensorBlock(tensor, 0, number) for tensor in files.tensors]))
    values = np.concatenate([piece.values() for piece in pieces])
    np.testing.assert_array_equal(values, np.tile(np.arange(number, dtype=np.float32), 2))


def test_large_parts_go_the_quick_way_and_small_ones_do_not(model, monkeypatch):
    hub, client, files = model
    ways = agents(monkeypatch)
    check(files, 1000)
    assert ways == []
    before, read = len(hub.requests), client.bytes_read
    check(files)
    assert len(ways) == len(hub.requests) - before == 2
    assert client.bytes_read - read == files.total_bytes


def test_the_token_stays_on_the_hub(model):
    hub, _, files = model
    check(files)
    users = {request.user for request in hub.requests if request.path.startswith("/cdn/")}
    assert users <= {None}


def test_connections_are_used_again(model, monkeypatch):
    opened = []
    connect = socket.create_connection
    monkeypatch.setattr(socket, "create_connection", lambda *a, **k: opened.append(a) or connect(*a, **k))
    _, _, files = model
    opened.clear()
    for _ in range(5):
        check(files)
    assert len(opened) <= 4


def test_a_connection_that_the_server_closed_meanwhile_is_no_error(model, monkeypatch):
    _, _, files = model
    check(files)
    monkeypatch.setattr(Routes, "do_GET", lambda self: _closing(self))
    check(files)
    check(files)


def _closing(self):
    self._answer(self._get)
    self.close_connection = True  # without saying so


def test_behind_a_proxy_nothing_goes_past_it(model, monkeypatch):
    _, _, files = model
    monkeypatch.setattr("hf_crosssight.hub.direct.getproxies", lambda: {"http": "http://127.0.0.1:9"})
    monkeypatch.setattr("hf_crosssight.hub.direct.proxy_bypass", lambda host: False)
    opened = []
    monkeypatch.setattr("http.client.HTTPConnection.request", lambda *a, **k: opened.append(a))
    check(files)
    assert opened == []


def test_what_the_quick_way_cannot_do_is_done_by_the_hubs_client(model, monkeypatch):
    def refuse(*args, **given):
        raise OSError("no route")

    hub, _, files = model
    monkeypatch.setattr("http.client.HTTPConnection.connect", refuse)
    ways = agents(monkeypatch)
    check(files)
    check(files)
    assert len(ways) == 4
    assert [request.status for request in hub.requests[-4:]] == [206] * 4
