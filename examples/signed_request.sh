#!/bin/sh
# Sends one request to the XML API, signed with an API key by HMAC-SHA-256.
#
#     API_KEY_SECRET=... signed_request.sh http://127.0.0.1:8080 KEY_ID METHOD NAME=VALUE...
#
# Prints the answer. docs/signing.md describes the signature. Needs curl, openssl and od. While
# openssl runs, other users of the machine can see the secret in its arguments.
set -eu
LC_ALL=C
export LC_ALL

sha256() { openssl dgst -sha256 -r | cut -d' ' -f1; }
# Every byte as %XX, which is always right.
encoded() { printf '%s' "$1" | od -An -v -tx1 | tr -d ' \n' | sed 's/../%&/g'; }

url=$1 key=$2 method=$3
shift 3
body=
for pair in "$@"; do
    body="$body${body:+&}$(encoded "${pair%%=*}")=$(encoded "${pair#*=}")"
done
canonical=$(mktemp)
trap 'rm -f "$canonical"' EXIT
{
    printf 'TOLLBOOK1\nPOST\n/billing/api/%s\n%s\n' "$method" "$(printf '%s' "$body" | sha256)"
    printf '%s\n' "$@" | sort -t= -k1,1 | while IFS= read -r pair; do
        [ -n "$pair" ] || continue
        name=${pair%%=*} value=${pair#*=}
        printf '%s:%s%s:%s' "${#name}" "$name" "${#value}" "$value"
    done
} >"$canonical"
timestamp=$(date +%s)
nonce=$(openssl rand -hex 16)
to_sign=$(printf 'TOLLBOOK1-HMAC-SHA256\n%s\n%s\n%s\n%s' \
    "$key" "$timestamp" "$nonce" "$(sha256 <"$canonical")")
signature=$(printf '%s' "$to_sign" | openssl dgst -sha256 -hmac "$API_KEY_SECRET" -r | cut -d' ' -f1)
curl -sS --data "$body" \
    -H "Tollbook-Key: $key" -H "Tollbook-Timestamp: $timestamp" \
    -H "Tollbook-Nonce: $nonce" -H "Tollbook-Signature: $signature" \
    "$url/billing/api/$method"
