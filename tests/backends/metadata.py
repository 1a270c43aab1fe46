#!/usr/bin/env python3
"""What machines and containers of clouds get their credentials from, at port 80 of every address: in a network namespace
of its own, where every address is this machine's.

    python metadata.py PORT

PORT is where fake_clouds.py listens in the open; it gets what is for Azure's and Google's metadata services. AWS' own two
are here: the link of a container (169.254.170.2/creds) and the second version of the instance's (169.254.169.254).
"""

import http.server
import json
import sys
import urllib.error
import urllib.request

SESSION = "fake-imds-session"


def pair(name):
    until = "2099-01-01T00:00:00Z"
    return {"AccessKeyId": name, "SecretAccessKey": "secret", "Token": "token", "Expiration": until, "Code": "Success"}


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    azure_has_identity = True

    def answer(self, status, body, headers=()):
        self.send_response(status)
        for name, value in (("Content-Length", str(len(body))), *headers):
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def forward(self):
        headers = {name: value for name, value in self.headers.items() if name.lower() not in ("connection", "host")}
        call = urllib.request.Request(f"http://127.0.0.1:{sys.argv[1]}{self.path}", headers=headers)
        try:
            answer = urllib.request.build_opener(urllib.request.ProxyHandler({})).open(call)
        except urllib.error.HTTPError as error:
            answer = error
        kept = ("Content-Type", "Metadata-Flavor")
        self.answer(answer.status, answer.read(), [(name, answer.headers[name]) for name in kept if answer.headers[name]])

    def do_GET(self):
        host, path = self.headers["Host"].split(":")[0], self.path.split("?")[0]
        roles = "/latest/meta-data/iam/security-credentials"
        if path == "/metadata/remove":
            Handler.azure_has_identity = False
            self.answer(200, b"")
        elif path.startswith("/metadata/") and not Handler.azure_has_identity:
            said = {"error": "invalid_request", "error_description": "Identity not found"}
            self.answer(400, json.dumps(said).encode(), [("Content-Type", "application/json")])
        elif path.startswith(("/computeMetadata/", "/metadata/")):
            self.forward()
        elif host == "169.254.170.2" and path == "/creds":
            self.answer(200, json.dumps(pair("AKIACONTAINER")).encode(), [("Content-Type", "application/json")])
        elif path.startswith("/latest/") and self.headers["x-aws-ec2-metadata-token"] != SESSION:
            self.answer(401, b"")
        elif path.rstrip("/") == roles:
            self.answer(200, b"team")
        elif path == f"{roles}/team":
            self.answer(200, json.dumps(pair("AKIAINSTANCE")).encode())
        else:
            self.answer(404, b"")

    def do_PUT(self):
        ttl = self.headers["x-aws-ec2-metadata-token-ttl-seconds"]
        if self.path != "/latest/api/token" or not ttl:
            return self.answer(400, b"")
        self.answer(200, SESSION.encode(), [("x-aws-ec2-metadata-token-ttl-seconds", ttl)])


http.server.ThreadingHTTPServer(("0.0.0.0", 80), Handler).serve_forever()
