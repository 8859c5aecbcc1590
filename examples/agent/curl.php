<?php

// Tells an agent that the visitor added a product to the cart, with PHP's extension curl. AGENT_URL is the agent's
// address; with AGENT_SOCKET, the request goes over that Unix socket.

$body = json_encode([
    'market' => 'UK',
    'customerKey' => 'd9528030-509c-4e0f-b585-7168f1e9feca',
    'sessionKey' => 'b106299c-eac0-4f6f-96d2-93e57c255784',
    'id' => bin2hex(random_bytes(16)),
    'ticket' => 'Oy9keW5hbWlj',
]);
$agent = getenv('AGENT_URL') ?: 'http://127.0.0.1:8181';
$curl = curl_init($agent . '/api/v1/notifications/adding-to-cart');
curl_setopt_array($curl, [
    CURLOPT_POSTFIELDS => $body,
    CURLOPT_HTTPHEADER => ['Content-Type: application/json'],
    CURLOPT_RETURNTRANSFER => true,
    CURLOPT_TIMEOUT_MS => 2000,
]);
if (getenv('AGENT_SOCKET')) {
    curl_setopt($curl, CURLOPT_UNIX_SOCKET_PATH, getenv('AGENT_SOCKET'));
}
echo curl_exec($curl);
$status = curl_getinfo($curl, CURLINFO_RESPONSE_CODE);
if ($status !== 202) {
    fwrite(STDERR, "not accepted: $status " . curl_error($curl) . "\n");
    exit(1);
}
