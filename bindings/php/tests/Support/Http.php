<?php

declare(strict_types=1);

namespace Esales\Notify\Tests\Support;

/**
 * Makes one HTTP request, with PHP's own functions.
 */
final class Http
{
    /**
     * @return array{status: int, body: string}
     */
    public static function request(string $method, string $url, string $body = ''): array
    {
        $context = stream_context_create([
            'http' => [
                'method' => $method,
                'content' => $body,
                'header' => ['Content-Type: text/plain', 'Connection: close'],
                'ignore_errors' => true,
                'timeout' => Process::LIMIT_S,
            ],
            // The sandbox makes its own certificate; these requests go only to its control interface.
            'ssl' => ['verify_peer' => false, 'verify_peer_name' => false],
        ]);
        $stream = fopen($url, 'rb', false, $context);
        if ($stream === false) {
            throw new \RuntimeException("$method $url: no answer");
        }
        $text = (string) stream_get_contents($stream);
        preg_match('~^HTTP/\S+ (\d+)~', stream_get_meta_data($stream)['wrapper_data'][0], $match);

        return ['status' => (int) $match[1], 'body' => $text];
    }
}
