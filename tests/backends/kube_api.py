#!/usr/bin/env python3
"""A stand-in for the API server of Kubernetes, in memory: enough of it for kubectl to apply, get, diff and delete
Secrets, ConfigMaps, Services and Namespaces, and as strict about Secrets as the real one.

    kube_api.py PORT
    kubectl --server http://127.0.0.1:PORT --validate=false apply -f FILE

What a Secret must be: `ValidateSecret` and `NameIsDNSSubdomain` of Kubernetes, and the decoding of `data` (base64, line breaks
skipped) and of `stringData` (text, which is put into `data`).
"""

import base64
import binascii
import json
import re
import sys
import threading
import urllib.parse
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

KINDS = {"secrets": ("Secret", True), "configmaps": ("ConfigMap", True), "services": ("Service", True), "namespaces": ("Namespace", False)}
MOST = 1024 * 1024
NEEDED = {
    "kubernetes.io/tls": [["tls.crt"], ["tls.key"]],
    "kubernetes.io/ssh-auth": [["ssh-privatekey"]],
    "kubernetes.io/basic-auth": [["username", "password"]],
    "kubernetes.io/dockerconfigjson": [[".dockerconfigjson"]],
    "kubernetes.io/dockercfg": [[".dockercfg"]],
}
OBJECTS = {}
LOCK = threading.Lock()
VERSION = [1]


class Refused(Exception):
    """With the code and the reason that the real server gives."""

    def __init__(self, code, reason, message):
        super().__init__(message)
        self.code, self.reason = code, reason


def merged(old, patch):
    """RFC 7386, which for these kinds is what a strategic merge comes to."""
    if not isinstance(patch, dict):
        return patch
    out = dict(old) if isinstance(old, dict) else {}
    for key, value in patch.items():
        if key.startswith("$"):
            continue
        if value is None:
            out.pop(key, None)
        else:
            out[key] = merged(out.get(key), value)
    return out


def decoded(secret):
    """The values of a Secret as bytes; `stringData` goes into `data`."""

    def undecodable(why):
        return Refused(400, "BadRequest", f'Secret in version "v1" cannot be handled as a Secret: {why}')

    values = {}
    for field in ("data", "stringData"):
        items = secret.get(field) or {}
        if not isinstance(items, dict):
            raise undecodable(f"{field} is no map")
        for key, value in items.items():
            if value is None:
                value = ""
            if not isinstance(value, str):
                raise undecodable(f"{field}.{key} is no string")
            if field == "stringData":
                values[key] = value.encode()
                continue
            try:
                values[key] = base64.b64decode(re.sub("[\r\n]", "", value), validate=True)
            except (binascii.Error, ValueError):
                raise undecodable(f"illegal base64 data in data.{key}") from None
    return values


def check(secret, values):
    def invalid(why):
        return Refused(422, "Invalid", f"Secret {secret['metadata'].get('name')!r} is invalid: {why}")

    for key in values:
        if not re.fullmatch(r"[-._a-zA-Z0-9]{1,253}", key) or key == "." or key.startswith(".."):
            raise invalid(f"data[{key}]: a valid config key must consist of alphanumeric characters, '-', '_' or '.'")
    if sum(map(len, values.values())) > MOST:
        raise invalid(f"data: Too long: may not be more than {MOST} bytes")
    kind = secret.get("type") or "Opaque"
    annotations = secret["metadata"].get("annotations") or {}
    if kind == "kubernetes.io/service-account-token" and not annotations.get("kubernetes.io/service-account.name"):
        raise invalid("metadata.annotations[kubernetes.io/service-account.name]: Required value")
    for keys in NEEDED.get(kind, []):
        if not any(key in values for key in keys):
            raise invalid(f"data[{keys[0]}]: Required value")
    if kind == "kubernetes.io/ssh-auth" and not values["ssh-privatekey"]:
        raise invalid("data[ssh-privatekey]: Required value")
    if kind.startswith("kubernetes.io/dockerc"):
        try:
            fine = isinstance(json.loads(values[NEEDED[kind][0][0]]), dict)
        except ValueError:
            fine = False
        if not fine:
            raise invalid("the value is no JSON object")


def admitted(kind, body):
    """The object as it is stored."""
    name = body["metadata"].get("name")
    if not isinstance(name, str) or len(name) > 253 or not re.fullmatch(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*", name):
        raise Refused(422, "Invalid", f"metadata.name: Invalid value: {name!r}: a lowercase RFC 1123 subdomain must be given")
    if kind == "Secret":
        values = decoded(body)
        check(body, values)
        body.pop("stringData", None)
        body["data"] = {key: base64.b64encode(value).decode() for key, value in values.items()}
        body.setdefault("type", "Opaque")
    return body


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *_):
        pass

    def answer(self, code, body):
        body = json.dumps(body).encode()
        self.send_response(code)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def go(self):
        length = int(self.headers.get("Content-Length") or 0)
        raw = self.rfile.read(length) if length else b""
        try:
            with LOCK:
                self.answer(*self.respond(raw))
        except Refused as refused:
            status = {"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Failure"}
            self.answer(refused.code, {**status, "message": str(refused), "reason": refused.reason, "code": refused.code})

    def respond(self, raw):
        url = urllib.parse.urlsplit(self.path)
        path, query, method = url.path.rstrip("/"), urllib.parse.parse_qs(url.query), self.command
        verbs = ["create", "delete", "get", "list", "patch", "update", "watch"]
        resources = [{"name": name, "singularName": kind.lower(), "namespaced": inside, "kind": kind, "verbs": verbs} for name, (kind, inside) in KINDS.items()]
        about = {
            "/version": {"major": "1", "minor": "32", "gitVersion": "v1.32.0"},
            "/api": {"kind": "APIVersions", "versions": ["v1"]},
            "/apis": {"kind": "APIGroupList", "apiVersion": "v1", "groups": []},
            "/api/v1": {"kind": "APIResourceList", "groupVersion": "v1", "resources": resources},
        }
        if path in about:
            return 200, about[path]
        found = re.fullmatch(r"/api/v1(?:/namespaces/([^/]+))?/([a-z]+)(?:/([^/]+))?", path)
        if path.startswith("/api/v1/namespaces") and path.count("/") <= 4:
            found = re.fullmatch(r"/api/v1()/(namespaces)(?:/([^/]+))?", path)
        if not found or found[2] not in KINDS:
            raise Refused(404, "NotFound", "the server could not find the requested resource")
        namespace, resource, name = found[1] or "", found[2], found[3]
        kind = KINDS[resource][0]
        if method == "GET" and not name:
            items = [item for (what, where, _), item in OBJECTS.items() if what == resource and where in (namespace or where,)]
            return 200, {"kind": kind + "List", "apiVersion": "v1", "metadata": {"resourceVersion": str(VERSION[0])}, "items": items}
        body = json.loads(raw) if raw and method != "DELETE" else {}
        if method == "POST":
            name = (body.get("metadata") or {}).get("name")
        key = (resource, namespace, name)
        old = OBJECTS.get(key)
        if method == "POST" and old:
            raise Refused(409, "AlreadyExists", f'{resource} "{name}" already exists')
        if method != "POST" and not old:
            raise Refused(404, "NotFound", f'{resource} "{name}" not found')
        if method == "GET":
            return 200, old
        is_trial = "dryRun" in query
        if method == "DELETE":
            if not is_trial:
                del OBJECTS[key]
            return 200, {"kind": "Status", "apiVersion": "v1", "status": "Success"}
        if method == "PATCH":
            body = merged(old, body)
        body = admitted(kind, {"apiVersion": "v1", "kind": kind, **body, "metadata": dict(body.get("metadata") or {})})
        if old and {**body, "metadata": {**old["metadata"], **body["metadata"]}} == old:
            return 200, old
        VERSION[0] += 1
        number = f"00000000-0000-0000-0000-{VERSION[0]:012d}"
        facts = {"uid": number, "creationTimestamp": "2024-01-01T00:00:00Z", **body["metadata"], "resourceVersion": str(VERSION[0])}
        body["metadata"] = {**facts, "namespace": namespace} if namespace else facts
        if not is_trial:
            OBJECTS[key] = body
        return (200 if old else 201), body

    do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = go


if __name__ == "__main__":
    ThreadingHTTPServer(("127.0.0.1", int(sys.argv[1])), Handler).serve_forever()
