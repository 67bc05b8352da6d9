<?php
// Sends one request to the XML API, signed with an API key by HMAC-SHA-256.
//
//     API_KEY_SECRET=... php signed_request.php http://127.0.0.1:8080 KEY_ID METHOD NAME=VALUE...
//
// Prints the answer. docs/signing.md describes the signature.

/** The body of a request and its headers. */
function signed(string $keyId, string $secret, string $method, array $params): array
{
    $body = http_build_query($params);
    $canonical = "TOLLBOOK1\nPOST\n/billing/api/$method\n" . hash('sha256', $body) . "\n";
    ksort($params, SORT_STRING);
    foreach ($params as $name => $value) {
        $canonical .= strlen($name) . ":$name" . strlen($value) . ":$value";
    }
    $timestamp = (string) time();
    $nonce = bin2hex(random_bytes(16));
    $toSign = implode("\n", [
        'TOLLBOOK1-HMAC-SHA256', $keyId, $timestamp, $nonce, hash('sha256', $canonical),
    ]);
    return [$body, [
        'Content-Type: application/x-www-form-urlencoded',
        "Tollbook-Key: $keyId",
        "Tollbook-Timestamp: $timestamp",
        "Tollbook-Nonce: $nonce",
        'Tollbook-Signature: ' . hash_hmac('sha256', $toSign, $secret),
    ]];
}

[, $url, $keyId, $method] = $argv;
$params = [];
foreach (array_slice($argv, 4) as $pair) {
    [$name, $value] = explode('=', $pair, 2);
    $params[$name] = $value;
}
[$body, $headers] = signed($keyId, getenv('API_KEY_SECRET'), $method, $params);
$context = stream_context_create(['http' => [
    'method' => 'POST', 'header' => $headers, 'content' => $body, 'ignore_errors' => true,
]]);
echo file_get_contents("$url/billing/api/$method", false, $context);
