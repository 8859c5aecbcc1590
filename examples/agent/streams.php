<?php

// Tells an agent that the visitor added a product to the cart, with nothing but PHP's own streams.
// AGENT_URL is the agent's address.

$body = json_encode([
    'market' => 'UK',
    'customerKey' => 'd9528030-509c-4e0f-b585-7168f1e9feca',
    'sessionKey' => 'b106299c-eac0-4f6f-96d2-93e57c255784',
    'id' => bin2hex(random_bytes(16)),
    'ticket' => 'Oy9keW5hbWlj',
]);
$context = stream_context_create(['http' => [
    'method' => 'POST',
    'header' => 'Content-Type: application/json',
    'content' => $body,
    'timeout' => 2,
    'ignore_errors' => true,
]]);
$agent = getenv('AGENT_URL') ?: 'http://127.0.0.1:8181';
$answer = @file_get_contents($agent . '/api/v1/notifications/adding-to-cart', false, $context);
$status = (int) explode(' ', $http_response_header[0] ?? ' 0')[1];
echo $answer;
if ($status !== 202) {
    fwrite(STDERR, "not accepted: $status\n");
    exit(1);
}
