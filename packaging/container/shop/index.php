<?php

// A shop's page that tells the agent what the visitor adds to the cart. It needs no library and no FFI.

$told = null;
if ($_SERVER['REQUEST_METHOD'] === 'POST') {
    $curl = curl_init('http://localhost/api/v1/notifications/non-esales-adding-to-cart');
    curl_setopt_array($curl, [
        CURLOPT_UNIX_SOCKET_PATH => getenv('AGENT_SOCKET'),
        CURLOPT_POSTFIELDS => json_encode([
            'market' => 'UK',
            'customerKey' => 'd9528030-509c-4e0f-b585-7168f1e9feca', // the visitor's, kept in a cookie
            'sessionKey' => 'b106299c-eac0-4f6f-96d2-93e57c255784', // the visit's
            'id' => bin2hex(random_bytes(16)),
            'productKey' => 'P_12538',
            'variantKey' => null,
        ]),
        CURLOPT_HTTPHEADER => ['Content-Type: application/json'],
        CURLOPT_RETURNTRANSFER => true,
        CURLOPT_TIMEOUT_MS => 1500,
    ]);
    $answer = curl_exec($curl);
    $status = curl_getinfo($curl, CURLINFO_RESPONSE_CODE);
    // A page never fails because of a notification.
    $told = $status === 202 ? "The agent accepted it: $answer" : "Not accepted ($status): $answer" . curl_error($curl);
}
?>
<!DOCTYPE html>
<html lang="en">
<title>A shop</title>
<h1>A shop</h1>
<form method="post"><button>Add P_12538 to the cart</button></form>
<?php if ($told !== null) : ?>
<p><?= htmlspecialchars($told) ?></p>
<?php endif; ?>
</html>
