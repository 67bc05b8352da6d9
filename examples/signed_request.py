#!/usr/bin/env python3
"""Sends one request to the XML API, signed with an API key by HMAC-SHA-256.

    API_KEY_SECRET=... signed_request.py http://127.0.0.1:8080 KEY_ID METHOD NAME=VALUE...

Prints the answer. docs/signing.md describes the signature. Standard library only.
"""

import hashlib
import hmac
import os
import secrets
import sys
import time
import urllib.parse
import urllib.request


def signed(key_id: str, secret: str, method: str, params: dict[str, str]) -> tuple[bytes, dict]:
    """The body of a request and its headers."""
    body = urllib.parse.urlencode(params).encode()
    canonical = f"TOLLBOOK1\nPOST\n/billing/api/{method}\n{hashlib.sha256(body).hexdigest()}\n".encode()
    for pair in sorted((name.encode(), value.encode()) for name, value in params.items()):
        for text in pair:
            canonical += str(len(text)).encode() + b":" + text
    timestamp, nonce = str(int(time.time())), secrets.token_hex(16)
    digest = hashlib.sha256(canonical).hexdigest()
    to_sign = "\n".join(["TOLLBOOK1-HMAC-SHA256", key_id, timestamp, nonce, digest])
    signature = hmac.new(secret.encode(), to_sign.encode(), hashlib.sha256).hexdigest()
    return body, {
        "Tollbook-Key": key_id,
        "Tollbook-Timestamp": timestamp,
        "Tollbook-Nonce": nonce,
        "Tollbook-Signature": signature,
    }


def main() -> None:
    url, key_id, method, *pairs = sys.argv[1:]
    params = dict(pair.split("=", 1) for pair in pairs)
    body, headers = signed(key_id, os.environ["API_KEY_SECRET"], method, params)
    request = urllib.request.Request(f"{url}/billing/api/{method}", data=body, headers=headers)
    with urllib.request.urlopen(request) as response:
        sys.stdout.write(response.read().decode())


if __name__ == "__main__":
    main()
