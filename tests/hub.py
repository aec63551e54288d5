"""A Hugging Face Hub on the loopback device, for tests and for trying things out: serves a folder to the real clients.

    python tests/hub.py --root FOLDER --redirect cifar10=zoo-bench/cifar10

What the clients need is there: listings with filters and pages, info, revisions, tree, files with ranges, redirects of
bare names, gated and private repositories, uploads (`push_to_hub`), and faults on demand. No Xet, no accounts, no git.
"""

from __future__ import annotations

import argparse
import contextlib
import sys
import tempfile
import threading
from http.server import ThreadingHTTPServer
from pathlib import Path

if not __package__:  # started as a script: the repository's root is not on the path
    sys.path[0] = str(Path(__file__).resolve().parent.parent)

from tests.hub_faults import Fault, FaultTable, Request
from tests.hub_folder import HubFolder, Repository
from tests.hub_routes import Routes

__all__ = ["Fault", "FaultTable", "LoopbackHub", "Request"]

BARE_NAMES = {
    name: f"zoo-bench/{name.replace('_', '-')}" for name in ("cifar10", "mnist", "fashion_mnist", "caltech101", "usps")
}
"""Old dataset names, and where the command redirects them if such a repository is served."""

_DATES = ("createdAt", "lastModified")


class LoopbackHub:
    """A Hub in a thread. Use as a context manager.

    Args:
        root: folder with `models/`, `datasets/` and `spaces/`, each `org/name/files`.
        redirects (`dict`): bare or old id → canonical id, for all kinds of repositories.
        tokens (`dict`): token → user name; any user may write.
        gated, private (`dict`): id → users that may read it.
        facts (`dict`): id → further entries of the info answer (`downloads`, `likes`, ...).
        faults (`FaultTable`): what goes wrong.
        writable (`bool`): whether commits are taken; they change the folder.
        cdn (`bool`): send LFS files from another origin (`localhost`), as the real Hub does.
        page_size (`int`): most entries of one page of a listing.
        port (`int`): 0 for any that is free.

    Attributes:
        url (`str`): the endpoint.
        requests (`list[Request]`): the log.
    """

    def __init__(
        self,
        root: str | Path,
        redirects: dict[str, str] | None = None,
        tokens: dict[str, str] | None = None,
        gated: dict[str, set[str]] | None = None,
        private: dict[str, set[str]] | None = None,
        facts: dict[str, dict] | None = None,
        faults: FaultTable | None = None,
        writable: bool = False,
        cdn: bool = False,
        page_size: int = 100,
        port: int = 0,
    ) -> None:
        self.folder = HubFolder(root)
        self.redirects, self.tokens = redirects or {}, tokens or {}
        self.gated, self.private, self.facts = gated or {}, private or {}, facts or {}
        self.faults = faults or FaultTable()
        self.writable, self.cdn, self.page_size = writable, cdn, page_size
        self.requests: list[Request] = []
        self.uploads: dict[str, Path] = {}
        self.write_lock = threading.Lock()
        self._uploaded = tempfile.TemporaryDirectory()
        self._server = _Server(("127.0.0.1", port), type("BoundRoutes", (Routes,), {"hub": self}))
        self._server.daemon_threads = True
        self.port = self._server.server_address[1]
        self.url = f"http://127.0.0.1:{self.port}"

    def __enter__(self) -> LoopbackHub:
        threading.Thread(target=self.serve, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._uploaded.cleanup()

    def serve(self) -> None:
        """Answer until the end."""
        self._server.serve_forever(poll_interval=0.05)

    def bytes_sent(self, ending: str = "") -> int:
        """Payload bytes sent so far for paths with that ending."""
        return sum(request.bytes_sent for request in self.requests if request.path.endswith(ending))

    def store_upload(self, oid: str, content: bytes) -> None:
        """Keep an LFS object until a commit names it."""
        place = Path(self._uploaded.name) / oid
        place.write_bytes(content)
        self.uploads[oid] = place

    def may_read(self, repo_id: str, user: str | None) -> bool:
        """Whether a user may know of a repository at all."""
        return repo_id not in self.private or user in self.private[repo_id]

    def info(self, repository: Repository, blobs: bool = False, weights: bool = True) -> dict:
        """The info answer with this Hub's own facts in it."""
        own = {"gated": "manual" if repository.id in self.gated else False, "private": repository.id in self.private}
        return repository.info(blobs, weights) | own | self.facts.get(repository.id, {})

    def listing(self, kind: str, query: dict[str, list[str]], user: str | None) -> list[dict]:
        """All repositories of a kind that pass the query, in its order (best or latest first)."""
        author, search = query.get("author", [""])[0].lower(), query.get("search", [""])[0].lower()
        ids = [one for one in self.folder.ids(kind) if self.may_read(one, user) and search in one.lower()]
        ids = [one for one in ids if author in ("", one.split("/")[0].lower())]
        weights = "safetensors" in query.get("expand", []) or "num_parameters" in query
        found = [self.info(self.folder.at(kind, one), weights=weights) for one in ids]
        found = [one for one in found if _passes(one, query)]
        key = query.get("sort", [""])[0]
        if not key:
            return found
        return sorted(found, key=lambda one: one.get(key, "" if key in _DATES else 0), reverse=True)


class _Server(ThreadingHTTPServer):
    request_queue_size = 128  # with the usual 5, connections of sixteen readers wait for a second attempt

    def handle_error(self, request: object, client_address: object) -> None:
        """A client that leaves in the middle is no error of the Hub's; all others are told."""
        if not isinstance(sys.exception(), ConnectionError):
            super().handle_error(request, client_address)  # type: ignore[arg-type]


def _passes(info: dict, query: dict[str, list[str]]) -> bool:
    """Filters of a listing: every tag, the task, gated or not, parameters `min:6M,max:1B`."""
    if any(tag not in info["tags"] for tags in query.get("filter", []) for tag in tags.split(",")):
        return False
    if "pipeline_tag" in query and info.get("pipeline_tag") != query["pipeline_tag"][0]:
        return False
    if "gated" in query and bool(info["gated"]) != (query["gated"][0].lower() == "true"):
        return False
    bounds = dict(part.split(":") for part in query.get("num_parameters", [""])[0].split(",") if part)
    total = info.get("safetensors", {}).get("total", -1)
    return not bounds or (_number(bounds.get("min", "0")) <= total <= _number(bounds.get("max", "1000000B")))


def _number(text: str) -> float:
    unit = {"K": 1e3, "M": 1e6, "B": 1e9}.get(text[-1:].upper())
    return float(text[:-1]) * unit if unit else float(text)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Serve a folder in Hub layout on the loopback device.")
    parser.add_argument("--root", type=Path, required=True, help="folder with models/, datasets/, spaces/")
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--redirect", action="append", default=[], metavar="NAME=ORG/NAME")
    parser.add_argument("--token", action="append", default=[], metavar="TOKEN=USER", help="a token that is accepted")
    parser.add_argument("--gated", action="append", default=[], metavar="ORG/NAME", help="readable with a token only")
    parser.add_argument("--writable", action="store_true", help="take uploads, into the folder")
    parser.add_argument("--home", type=Path, help="HF_HOME to print (default: a new temporary folder)")
    return parser.parse_args()


def main() -> None:
    """Serve until Ctrl-C, after printing what to export so that the clients use this Hub."""
    given = _arguments()
    if not given.root.is_dir():
        raise SystemExit(f"{given.root} is not a folder")
    tokens = dict(item.split("=", 1) for item in given.token)
    served = HubFolder(given.root)
    redirects = {name: to for name, to in BARE_NAMES.items() if served.exists("datasets", to)}
    redirects |= dict(item.split("=", 1) for item in given.redirect)
    gated = {one: set(tokens.values()) for one in given.gated}
    hub = LoopbackHub(
        given.root, redirects=redirects, tokens=tokens, gated=gated, writable=given.writable, port=given.port
    )
    home = given.home or Path(tempfile.mkdtemp(prefix="hf-home-"))
    print(f"export HF_ENDPOINT={hub.url}")
    print("export HF_HUB_DISABLE_XET=1")
    print(f"export HF_HOME={home}    # so that nothing of this Hub lands in your own cache")
    moved = ", ".join(f"{name} -> {to}" for name, to in redirects.items()) or "no redirects"
    print(f"# serving {given.root} ({moved}) until Ctrl-C")
    sys.stdout.flush()
    with contextlib.suppress(KeyboardInterrupt):
        hub.serve()


if __name__ == "__main__":
    main()
