<?php

declare(strict_types=1);

/** A curl handle for a notification, as a shop makes it. */
function curl_handle(array $settings): CurlHandle
{
    $curl = curl_init($settings['url']);
    curl_setopt_array($curl, [
        CURLOPT_POSTFIELDS => $settings['body'],
        CURLOPT_HTTPHEADER => ['Content-Type: application/json'],
        CURLOPT_RETURNTRANSFER => true,
        CURLOPT_TIMEOUT_MS => 3000,
    ] + ($settings['ca'] ? [CURLOPT_CAINFO => $settings['ca']] : []));

    return $curl;
}

function curl_post(CurlHandle $curl): void
{
    if (curl_exec($curl) === false || curl_getinfo($curl, CURLINFO_RESPONSE_CODE) !== 204) {
        throw new RuntimeException('not a 204: ' . curl_error($curl));
    }
}
