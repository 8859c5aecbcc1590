<?php

declare(strict_types=1);

namespace Esales\Notify\Tests\Support;

/**
 * A stand-in for the service: `esales-notify sandbox`, and its control interface.
 */
final class Sandbox
{
    private Process $process;

    private string $baseUrl;

    private ?string $caFile;

    /**
     * @param list<string> $arguments more arguments of the command
     */
    public function __construct(array $arguments = [])
    {
        $this->process = new Process(array_merge(
            [(string) getenv('ESALES_NOTIFY_COMMAND'), 'sandbox', '--listen', '127.0.0.1:0', '--json'],
            $arguments
        ));
        $line = $this->process->waitFor(1, '/^(\{.*\})\n/');
        $answer = json_decode($line, true, 8, JSON_THROW_ON_ERROR);
        $this->baseUrl = $answer['base_url'];
        $this->caFile = $answer['ca_file'];
    }

    public function baseUrl(): string
    {
        return $this->baseUrl;
    }

    public function caFile(): ?string
    {
        return $this->caFile;
    }

    /**
     * @return list<array<string, mixed>>
     */
    public function received(): array
    {
        return $this->control('GET', '/sandbox/received');
    }

    public function connections(): int
    {
        return $this->control('GET', '/sandbox/status')['connections'];
    }

    public function script(string $answers): void
    {
        $this->control('PUT', '/sandbox/script', $answers);
    }

    /**
     * Clears the script and the received requests.
     */
    public function clear(): void
    {
        $this->script('');
        $this->control('DELETE', '/sandbox/received');
    }

    /**
     * @return mixed
     */
    private function control(string $method, string $path, string $body = '')
    {
        $answer = Http::request($method, $this->baseUrl . $path, $body);
        if ($answer['status'] >= 300) {
            throw new \RuntimeException("$method $path: " . $answer['status'] . ' ' . $answer['body']);
        }

        return $answer['body'] === '' ? null : json_decode($answer['body'], true, 64, JSON_THROW_ON_ERROR);
    }
}
