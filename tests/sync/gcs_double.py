"""A small double of Google Cloud Storage's XML API, with its conditions: no emulator of it honours them.

What the real store does beyond this (rate limits on one name, eventual deletion) is not tried anywhere.
"""

from __future__ import annotations

import json
import threading
from datetime import UTC, datetime
from email.utils import format_datetime
from http.server import BaseHTTPRequestHandler
from urllib.parse import parse_qs, unquote, urlsplit
from xml.sax.saxutils import escape

from loopback_http import LoopbackServer


class GcsDouble:
    """Runs in threads of this process until `stop`. `key` is what GOOGLE_SERVICE_ACCOUNT_KEY holds to get there."""

    def __init__(self) -> None:
        self._objects: dict[str, tuple[bytes, int, datetime]] = {}
        self._uploads: dict[str, dict[int, bytes]] = {}
        self._generation = 0
        self._lock = threading.Lock()
        self._server = LoopbackServer(self._handle)
        self.url = self._server.url
        account = {"gcs_base_url": self.url, "disable_oauth": True, "client_email": "", "private_key": "", "private_key_id": ""}
        self.key = json.dumps(account)

    def stop(self) -> None:
        self._server.stop()

    def _handle(self, request: BaseHTTPRequestHandler, body: bytes) -> None:
        parts = urlsplit(request.path)
        _, _bucket, *rest = unquote(parts.path).split("/", 2)
        query = parse_qs(parts.query, keep_blank_values=True)
        status, headers, answer = self.answer(request.command, rest[0] if rest else "", query, request.headers, body)
        request.send_response_only(status)
        for name, value in {"Content-Length": str(len(answer)), **headers}.items():
            request.send_header(name, value)
        request.end_headers()
        if request.command != "HEAD":
            request.wfile.write(answer)

    def answer(self, method, key, query, headers, body):
        with self._lock:
            if method == "GET" and not key:
                return 200, {"Content-Type": "application/xml"}, self._listed(query)
            if method == "POST" and "uploads" in query:
                self._uploads[name := f"u{len(self._uploads)}"] = {}
                return 200, {}, f"<InitiateMultipartUploadResult><UploadId>{name}</UploadId></InitiateMultipartUploadResult>".encode()
            if method == "PUT" and "partNumber" in query:
                self._uploads[query["uploadId"][0]][int(query["partNumber"][0])] = body
                return 200, {"ETag": '"part"'}, b""
            if method == "POST" and "uploadId" in query:
                pieces = self._uploads.pop(query["uploadId"][0])
                self._put(key, b"".join(pieces[n] for n in sorted(pieces)))
                return 200, {}, b"<CompleteMultipartUploadResult><ETag>x</ETag></CompleteMultipartUploadResult>"
            found = self._objects.get(key)
            if method == "PUT":
                wanted = headers.get("x-goog-if-generation-match")
                if wanted is not None and int(wanted) != (found[1] if found else 0):
                    return 412, {}, b"<Error><Code>PreconditionFailed</Code></Error>"
                generation = self._put(key, body)
                return 200, {"ETag": f'"{generation}"', "x-goog-generation": str(generation)}, b""
            if method == "DELETE":
                if "uploadId" in query:
                    self._uploads.pop(query["uploadId"][0], None)
                    return 204, {}, b""
                return (204 if self._objects.pop(key, None) else 404), {}, b""
            if found is None:
                return 404, {}, b"<Error><Code>NoSuchKey</Code></Error>"
            return self._got(found, method, headers.get("Range"))

    def _put(self, key, data):
        self._generation += 1
        self._objects[key] = (data, self._generation, datetime.now(UTC))
        return self._generation

    def _got(self, found, method, ranged):
        data, generation, at = found
        headers = {"ETag": f'"{generation}"', "x-goog-generation": str(generation), "Last-Modified": format_datetime(at, usegmt=True)}
        if ranged:
            first, last = ranged.removeprefix("bytes=").split("-")
            start, end = int(first), min(int(last or len(data) - 1), len(data) - 1)
            if start >= len(data):
                return 416, {}, b"<Error><Code>InvalidRange</Code></Error>"
            headers["Content-Range"] = f"bytes {start}-{end}/{len(data)}"
            return 206, headers, data[start : end + 1]
        if method == "HEAD":
            headers["Content-Length"] = str(len(data))
        return 200, headers, data

    def _listed(self, query):
        prefix, delimiter = query.get("prefix", [""])[0], query.get("delimiter", [""])[0]
        lines, folders = [], set()
        for key, (data, generation, at) in sorted(self._objects.items()):
            if not key.startswith(prefix):
                continue
            rest = key[len(prefix) :]
            if delimiter and delimiter in rest:
                folders.add(prefix + rest.split(delimiter)[0] + delimiter)
                continue
            lines.append(
                f"<Contents><Key>{escape(key)}</Key><Generation>{generation}</Generation><LastModified>{at.isoformat()}</LastModified>"
                f'<ETag>"{generation}"</ETag><Size>{len(data)}</Size></Contents>'
            )
        lines += [f"<CommonPrefixes><Prefix>{escape(folder)}</Prefix></CommonPrefixes>" for folder in sorted(folders)]
        return f"<ListBucketResult><IsTruncated>false</IsTruncated>{''.join(lines)}</ListBucketResult>".encode()
