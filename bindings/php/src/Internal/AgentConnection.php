<?php

declare(strict_types=1);

namespace Esales\Notify\Internal;

use Esales\Notify\Exception\InvalidConfigException;
use Esales\Notify\Exception\SpoolFailedException;
use Esales\Notify\Status;

/**
 * Exchanges with an agent over HTTP, within a deadline.
 *
 * A connection stays open from page view to page view. An answer is used only if it has the number of the request,
 * because a page that ends during an exchange leaves its answer on the connection for the next page.
 *
 * @internal
 */
final class AgentConnection
{
    /** HOST:PORT, with or without the scheme. */
    private const NETWORK = '~^(?:http://)?([A-Za-z0-9.-]+|\[[0-9A-Fa-f:]+\]):(\d{1,5})/?$~D';

    /** The longest answer that is read, in bytes. */
    private const LONGEST_ANSWER = 65536;

    /** @var array<string, array<string, resource>> by process and socket; see pooled() */
    private static array $open = [];

    private string $address;

    /** The address in the form of PHP's streams. */
    private string $socket;

    private int $timeoutMs;

    /**
     * @param string $address   unix:/PATH, HOST:PORT or http://HOST:PORT
     * @param int    $timeoutMs the longest that an exchange may take, in milliseconds
     *
     * @throws InvalidConfigException
     */
    public function __construct(string $address, int $timeoutMs)
    {
        $this->address = $address;
        $this->timeoutMs = $timeoutMs;
        if (preg_match('~^unix:(/.+)$~D', $address, $found) === 1) {
            $this->socket = 'unix://' . $found[1];
        } elseif (preg_match(self::NETWORK, $address, $found) === 1) {
            $this->socket = 'tcp://' . $found[1] . ':' . $found[2];
        } else {
            throw new InvalidConfigException(
                'agent must be the address of an esales-notify agent, such as unix:/run/esales-notify/agent.socket or'
                . ' 127.0.0.1:8181',
                Status::INVALID_CONFIG,
                'ESALES_INVALID_CONFIG'
            );
        }
    }

    public function address(): string
    {
        return $this->address;
    }

    /**
     * @param string $lines     header lines of the request, each with its line end
     * @param bool   $mayRepeat whether the request may be repeated: then an open connection is used and, if it breaks,
     *                          a new one
     * @param string $unsent    the end of the message if nothing was sent
     * @param string $unknown   the end of the message if it is not known whether the request arrived
     *
     * @return array{status: int, body: string}
     *
     * @throws SpoolFailedException if there was no answer within the time
     */
    public function exchange(
        string $method,
        string $path,
        string $lines,
        ?string $body,
        bool $mayRepeat,
        string $unsent,
        string $unknown
    ): array {
        // The clock never goes back, so no two requests of a process have the same number.
        $now = hrtime(true);
        $deadline = $now / 1e9 + $this->timeoutMs / 1000;
        $number = 'X-Request-Id: ' . $now . "\r\n";
        $request = $method . ' ' . $path . " HTTP/1.1\r\nHost: localhost\r\n" . $lines . $number
            . ($mayRepeat ? '' : "Connection: close\r\n")
            . ($body === null ? "\r\n" : 'Content-Length: ' . strlen($body) . "\r\n\r\n" . $body);
        if ($mayRepeat) {
            $stream = $this->pooled($deadline, $unsent);
            $answer = self::ask($stream, $request, $number, $deadline);
            if ($answer === null || $answer['closes']) {
                $this->close($stream);
            }
            if ($answer !== null) {
                return $answer;
            }
            $unsent = $unknown;
        }
        $stream = $this->connect($deadline, $unsent, 0);
        $answer = self::ask($stream, $request, $number, $deadline);
        fclose($stream);
        if ($answer === null) {
            throw $this->failure('did not answer within ' . $this->timeoutMs . ' ms' . $unknown);
        }

        return $answer;
    }

    /**
     * The connection that stays open: in a worker of a web server from page to page, in a program until it ends.
     *
     * @return resource
     */
    private function pooled(float $deadline, string $unsent)
    {
        if (PHP_SAPI !== 'cli' && PHP_SAPI !== 'phpdbg') {
            return $this->connect($deadline, $unsent, \STREAM_CLIENT_PERSISTENT);
        }
        // A forked child opens its own connection.
        $process = (string) getmypid();
        if (!isset(self::$open[$process][$this->socket])) {
            $opened = [$this->socket => $this->connect($deadline, $unsent, 0)];
            self::$open = [$process => $opened + (self::$open[$process] ?? [])];
        }

        return self::$open[$process][$this->socket];
    }

    /**
     * @param resource $stream
     */
    private function close($stream): void
    {
        self::$open = [];
        fclose($stream);
    }

    /**
     * @param int $flag STREAM_CLIENT_PERSISTENT or 0
     *
     * @return resource
     */
    private function connect(float $deadline, string $unsent, int $flag)
    {
        $left = $deadline - hrtime(true) / 1e9;
        $flags = \STREAM_CLIENT_CONNECT | $flag;
        $message = 'no time is left';
        $stream = $left > 0 ? @stream_socket_client($this->socket, $code, $message, $left, $flags) : false;
        if ($stream === false) {
            throw $this->failure('cannot be reached: ' . $message . $unsent);
        }

        return $stream;
    }

    /**
     * Sends a request, and reads the answer with its number. Answers that earlier pages left unread are skipped.
     *
     * @param resource $stream
     *
     * @return array{status: int, body: string, closes: bool}|null null: there was no answer
     */
    private static function ask($stream, string $request, string $number, float $deadline): ?array
    {
        for ($sent = 0, $length = strlen($request); $sent < $length; $sent += $written) {
            if (!self::setTimeout($stream, $deadline)) {
                return null;
            }
            $written = @fwrite($stream, $sent === 0 ? $request : substr($request, $sent));
            if (!is_int($written) || $written === 0) {
                return null;
            }
        }
        $read = '';
        while (strlen($read) < self::LONGEST_ANSWER && self::setTimeout($stream, $deadline)) {
            $part = @fread($stream, 8192);
            if (!is_string($part) || $part === '') {
                return null;
            }
            $read .= $part;
            $end = strpos($read, "\r\n\r\n");
            if ($end === false) {
                continue;
            }
            // The agent sends no chunks.
            $head = substr($read, 0, $end + 4);
            if (
                preg_match('~^HTTP/1\.1 (\d{3}) ~', $head, $status) !== 1
                || preg_match('~\r\ncontent-length: *(\d+)\r\n~i', $head, $length) !== 1
                || stripos($head, $number) === false
            ) {
                return null;
            }
            if (strlen($read) >= $end + 4 + (int) $length[1]) {
                return [
                    'status' => (int) $status[1],
                    'body' => substr($read, $end + 4, (int) $length[1]),
                    'closes' => preg_match('~\r\nconnection: *close\r\n~i', $head) === 1,
                ];
            }
        }

        return null;
    }

    /**
     * @param resource $stream
     *
     * @return bool false: no time is left
     */
    private static function setTimeout($stream, float $deadline): bool
    {
        $left = $deadline - hrtime(true) / 1e9;
        if ($left <= 0) {
            return false;
        }
        stream_set_timeout($stream, (int) $left, (int) (($left - (int) $left) * 1e6));

        return true;
    }

    private function failure(string $message): SpoolFailedException
    {
        return new SpoolFailedException(
            'the agent at ' . $this->address . ' ' . $message,
            Status::SPOOL_FAILED,
            'ESALES_SPOOL_FAILED'
        );
    }
}
