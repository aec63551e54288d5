"""The loopback Hub's routes: what each request of the real clients is answered, and how faults bend the answer."""

from __future__ import annotations

import json
import re
import socket
import time
from http.server import BaseHTTPRequestHandler
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, quote, unquote, urlencode, urlsplit

from tests.hub_faults import Request
from tests.hub_folder import (
    KINDS,
    LFS_SIZE,
    LFS_SUFFIXES,
    Refused,
    Repository,
    StoredFile,
    front_matter_error,
    write_whole,
)

if TYPE_CHECKING:
    from tests.hub import LoopbackHub

_API = re.compile(
    r"/api/(?P<kind>models|datasets|spaces)/(?P<id>[^/]+(?:/[^/]+)??)"
    r"(?:/(?P<verb>revision|tree|paths-info|refs|preupload|commit)(?:/(?P<revision>[^/]+)(?:/(?P<path>.+))?)?)?/?"
)
_FILE = re.compile(
    r"/(?:(?P<kind>datasets|spaces)/)?(?P<id>[^/]+(?:/[^/]+)??)/(?:resolve|raw)/(?P<revision>[^/]+)/(?P<path>.+)"
)
_LFS = re.compile(r"/(?:(?P<kind>datasets|spaces)/)?(?P<id>[^/]+/[^/]+)\.git/info/lfs/objects/batch")
_RANGE = re.compile(r"bytes=(\d*)-(\d*)")
_CHUNK = 1 << 16


class Routes(BaseHTTPRequestHandler):
    """One connection. `hub` is set by the subclass that `LoopbackHub` makes."""

    hub: LoopbackHub
    protocol_version = "HTTP/1.1"
    # Headers and body leave in one packet each: without it, delayed acknowledgements cost 40 ms a request.
    disable_nagle_algorithm = True

    def do_GET(self) -> None:
        self._answer(self._get)

    def do_HEAD(self) -> None:
        self._answer(self._get)

    def do_POST(self) -> None:
        self._answer(self._post)

    def do_PUT(self) -> None:
        self._answer(self._put)

    def _answer(self, route: Any) -> None:
        """Read the request, apply its fault, answer it, log it."""
        url = urlsplit(self.path)
        self.route, self.query = url.path, parse_qs(url.query, keep_blank_values=True)
        self.content = self._read_content()
        self.fault = self.hub.faults.take(self.command, unquote(url.path))
        self.user: str | None = None
        # Logged before the answer leaves, and kept up to date: who has the answer finds it in the log.
        self.log = Request(self.command, unquote(url.path), url.query, self.headers.get("Range"))
        self.hub.requests.append(self.log)
        time.sleep(self.fault.delay)
        try:
            if self.fault.status:
                raise Refused(self.fault.status, "", "a fault of the table", self.fault.headers)
            self._authenticate()
            route()
        except Refused as refusal:
            self._refuse(refusal)
        except (BrokenPipeError, ConnectionResetError):
            self.close_connection = True

    def _read_content(self) -> bytes:
        if self.headers.get("Transfer-Encoding", "").lower() != "chunked":
            return self.rfile.read(int(self.headers.get("Content-Length") or 0))
        content = b""
        while size := int(self.rfile.readline().split(b";")[0], 16):
            content += self.rfile.read(size)
            self.rfile.readline()
        self.rfile.readline()
        return content

    def _authenticate(self) -> None:
        token = self.headers.get("Authorization", "").removeprefix("Bearer ").strip()
        if token and token not in self.hub.tokens:
            raise Refused(401, "", "Invalid credentials in Authorization header")
        self.user = self.log.user = self.hub.tokens.get(token)

    # -- reading ------------------------------------------------------------------------------------------------------

    def _get(self) -> None:
        if self.route == "/api/whoami-v2":
            return self._whoami()
        if found := re.fullmatch(r"/api/(models|datasets|spaces)", self.route.rstrip("/")):
            return self._list(found.group(1))
        if found := _API.fullmatch(self.route):
            return self._api(found)
        if self.route.startswith("/cdn/") and (found := _FILE.fullmatch(self.route.removeprefix("/cdn"))):
            return self._send_file(self._repository(found, public=True).file(unquote(found["path"])), {})
        if found := _FILE.fullmatch(self.route):
            return self._file(found)
        raise Refused(404, "", f"no route {self.route}")

    def _whoami(self) -> None:
        if self.user is None:
            raise Refused(401, "", "Invalid username or password.")
        role = {"type": "access_token", "accessToken": {"displayName": "test", "role": "write"}}
        self._json({"type": "user", "name": self.user, "fullname": self.user, "orgs": [], "auth": role})

    def _list(self, kind: str) -> None:
        """A page of a listing, and the next one in the `Link` header."""
        found = self.hub.listing(kind, self.query, self.user)
        start = int(self.query.get("cursor", ["0"])[0])
        size = min(int(self.query.get("limit", [self.hub.page_size])[0]), self.hub.page_size)
        headers = {}
        if start + size < len(found):
            query = urlencode({**self.query, "cursor": [str(start + size)]}, doseq=True)
            headers["Link"] = f'<{self.hub.url}/api/{kind}?{query}>; rel="next"'
        self._json(found[start : start + size], headers)

    def _api(self, found: re.Match) -> None:
        repository = self._repository(found)
        verb = found["verb"]
        if verb in (None, "revision"):
            self._json(self.hub.info(repository, blobs="blobs" in self.query))
        elif verb == "tree":
            recursive = self.query.get("recursive", ["false"])[0].lower() in ("true", "1")
            self._json(repository.tree(unquote(found["path"] or "").rstrip("/"), recursive))
        elif verb == "refs":
            branches = self.hub.folder.branches(repository.kind, repository.id)
            heads = [{"name": n, "ref": f"refs/heads/{n}", "targetCommit": r.sha()} for n, r in branches.items()]
            self._json({"branches": heads, "tags": [], "converts": [], "pullRequests": []})
        else:
            raise Refused(404, "", f"no route {self.route}")

    def _file(self, found: re.Match) -> None:
        """A file, with what the clients need to know of it in the headers."""
        repository = self._repository(found)
        if repository.id in self.hub.gated and self.user not in self.hub.gated[repository.id]:
            raise Refused(403 if self.user else 401, "GatedRepo", f"Access to {repository.id} is restricted.")
        file = repository.file(unquote(found["path"]))
        headers = {"X-Repo-Commit": repository.sha(), "ETag": f'"{file.etag}"', "Accept-Ranges": "bytes"}
        if self.hub.cdn and file.sha256:
            headers |= {"X-Linked-Size": str(file.size), "X-Linked-Etag": f'"{file.etag}"'}
            return self._redirect(302, f"http://localhost:{self.hub.port}/cdn{self.route}", headers)
        return self._send_file(file, headers)

    def _repository(self, found: re.Match, public: bool = False) -> Repository:
        """The repository of a route, if there is one and this user may know of it."""
        kind, repo_id = found["kind"] or "models", unquote(found["id"])
        if repo_id in self.hub.redirects and not self.hub.folder.exists(kind, repo_id):
            first, last = found.span("id")
            rest = self.route[:first] + quote(self.hub.redirects[repo_id]) + self.route[last:]
            raise Refused(307, "", "moved", {"Location": rest + (f"?{q}" if (q := urlsplit(self.path).query) else "")})
        if not self.hub.folder.exists(kind, repo_id) or not (public or self.hub.may_read(repo_id, self.user)):
            # The Hub does not tell a stranger whether a repository is missing or private.
            raise Refused(404 if self.user else 401, "RepoNotFound", "Repository not found")
        return self.hub.folder.at(kind, repo_id, unquote(found["revision"]) if found["revision"] else None)

    # -- writing ------------------------------------------------------------------------------------------------------

    def _post(self) -> None:
        if self.route == "/api/validate-yaml":
            return self._validate_card()
        if found := _API.fullmatch(self.route):
            repository = self._repository(found)
            if found["verb"] == "paths-info":
                return self._paths_info(repository)
            self._require_writer()
            if found["verb"] == "preupload":
                return self._preupload()
            if found["verb"] == "commit":
                return self._commit(repository)
        self._require_writer()
        if self.route == "/api/repos/create":
            return self._create()
        if _LFS.fullmatch(self.route):
            return self._lfs_batch()
        raise Refused(404, "", f"no route {self.route}")

    def _require_writer(self) -> None:
        if self.user is None:
            raise Refused(401, "", "Invalid username or password.")
        if not self.hub.writable:
            raise Refused(403, "", "this Hub takes no uploads")

    def _paths_info(self, repository: Repository) -> None:
        if "json" in self.headers.get("Content-Type", ""):
            paths = json.loads(self.content)["paths"]
        else:
            paths = parse_qs(self.content.decode())["paths"]
        entries = {entry["path"]: entry for entry in repository.tree("", recursive=True)}
        self._json([entries[path] for path in paths if path in entries])

    def _create(self) -> None:
        asked = json.loads(self.content)
        kind, repo_id = f"{asked.get('type') or 'model'}s", f"{asked.get('organization') or self.user}/{asked['name']}"
        answer = {"url": f"{self.hub.url}/{'' if kind == 'models' else kind + '/'}{repo_id}", "name": repo_id}
        if self.hub.folder.exists(kind, repo_id):
            return self._json(answer | {"error": "You already created this repo"}, status=409)
        if kind not in KINDS or ".." in repo_id or repo_id.count("/") != 1:
            raise Refused(400, "", f"bad id {repo_id}")
        if kind == "spaces" and asked.get("sdk") not in ("gradio", "docker", "static"):
            raise Refused(400, "", "a Space needs an sdk")
        if asked.get("private") or asked.get("visibility") == "private":
            self.hub.private[repo_id] = {str(self.user)}
        write_whole(self.hub.folder.root / kind / repo_id / ".gitattributes", b"*.safetensors filter=lfs\n")
        return self._json(answer)

    def _preupload(self) -> None:
        files = json.loads(self.content)["files"]
        large = [file["size"] > LFS_SIZE or file["path"].endswith(LFS_SUFFIXES) for file in files]
        modes = ["lfs" if one else "regular" for one in large]
        answers = [
            {"path": file["path"], "uploadMode": mode, "shouldIgnore": False}
            for file, mode in zip(files, modes, strict=True)
        ]
        self._json({"files": answers})

    def _lfs_batch(self) -> None:
        objects = json.loads(self.content)["objects"]
        for one in objects:
            one["actions"] = {"upload": {"href": f"{self.hub.url}/lfs-upload/{one['oid']}", "header": {}}}
        self._json({"transfer": "basic", "objects": objects})

    def _put(self) -> None:
        found = re.fullmatch(r"/lfs-upload/([0-9a-f]{64})", self.route)
        if not found:
            raise Refused(404, "", f"no route {self.route}")
        self.hub.store_upload(found.group(1), self.content)
        self._json({})

    def _commit(self, repository: Repository) -> None:
        operations = [json.loads(line) for line in self.content.splitlines() if line.strip()]
        parent = next((one["value"].get("parentCommit") for one in operations if one["key"] == "header"), None)
        with self.hub.write_lock:
            if parent not in (None, repository.sha()):
                raise Refused(412, "", "The repository has been changed since that commit")
            sha = repository.commit(operations, self.hub.uploads)
        prefix = "" if repository.kind == "models" else f"{repository.kind}/"
        url = f"{self.hub.url}/{prefix}{repository.id}/commit/{sha}"
        self._json({"success": True, "commitOid": sha, "commitUrl": url, "hookOutput": ""})

    def _validate_card(self) -> None:
        problem = front_matter_error(json.loads(self.content)["content"])
        errors = [{"message": problem}] if problem else []
        self._json({"errors": errors, "warnings": []}, status=400 if problem else 200)

    # -- answers ------------------------------------------------------------------------------------------------------

    def _json(self, value: Any, headers: dict[str, str] | None = None, status: int = 200) -> None:
        self._send(status, json.dumps(value).encode(), {"Content-Type": "application/json", **(headers or {})})

    def _redirect(self, status: int, location: str, headers: dict[str, str]) -> None:
        self._send(status, b"", {"Location": location, **headers})

    def _refuse(self, refusal: Refused) -> None:
        told = {"X-Error-Code": refusal.code, "X-Error-Message": refusal.message, **refusal.headers}
        self._json({"error": refusal.message}, {k: v for k, v in told.items() if v}, refusal.status)

    def _send(self, status: int, body: bytes, headers: dict[str, str]) -> None:
        self._head(status, len(body), headers)
        if self.command != "HEAD":
            self._write(body[: self.fault.cut_after])
            self._cut_if_asked(len(body))

    def _head(self, status: int, length: int, headers: dict[str, str]) -> None:
        self.log.status = status
        self.send_response(status)
        for name, value in {**headers, "Content-Length": str(length), **self.fault.told}.items():
            self.send_header(name, value)
        self.end_headers()

    def _send_file(self, file: StoredFile, headers: dict[str, str]) -> None:
        """The file or the range asked for; faults change lengths or end it early."""
        span = None if self.fault.ignore_range else self._span(file.size)
        start, stop = span or (0, file.size)
        length = stop - start + self.fault.wrong_length
        if span:
            headers = {**headers, "Content-Range": f"bytes {start}-{stop - 1}/{file.size}"}
        self._head(206 if span else 200, length, {"Content-Type": "application/octet-stream", **headers})
        if self.command == "HEAD":
            return
        left = length if self.fault.cut_after is None else min(length, self.fault.cut_after)
        with file.place.open("rb") as opened:
            opened.seek(start)
            while left > 0:
                # A body that is too long goes on with zeros.
                size = min(left, _CHUNK if self.fault.stall_after is None else self.fault.stall_after)
                chunk = opened.read(size) or bytes(size)
                self._write(chunk)
                left -= len(chunk)
                time.sleep(self.fault.stall)
        self._cut_if_asked(length)

    def _span(self, size: int) -> tuple[int, int] | None:
        """The half-open range asked for, `None` without one or with several (which a server may ignore)."""
        found = _RANGE.fullmatch(self.headers.get("Range", "").strip())
        if not found or found.group(0) == "bytes=-":
            return None
        first, last = found.groups()
        start, stop = (int(first), min(size, int(last) + 1 if last else size)) if first else (size - int(last), size)
        if start >= size or start >= stop:
            raise Refused(416, "", "range not satisfiable", {"Content-Range": f"bytes */{size}"})
        return max(0, start), stop

    def _write(self, chunk: bytes) -> None:
        self.log.bytes_sent += len(chunk)
        self.wfile.write(chunk)

    def _cut_if_asked(self, length: int) -> None:
        if self.fault.cut_after is not None and self.fault.cut_after < length:
            self.wfile.flush()
            self.connection.shutdown(socket.SHUT_RDWR)
            self.close_connection = True

    def log_message(self, *_: object) -> None:
        """The log is `hub.requests`."""
