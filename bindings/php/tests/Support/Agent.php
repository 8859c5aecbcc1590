<?php

declare(strict_types=1);

namespace Esales\Notify\Tests\Support;

/**
 * An agent: `esales-notify drain --listen`, with a spool of its own.
 */
final class Agent
{
    private Process $process;

    private string $address;

    private string $socket;

    /**
     * @param list<string> $arguments more of the command's
     */
    public function __construct(Folder $folder, string $baseUrl, array $arguments = [])
    {
        $this->socket = $folder->path() . '/socket';
        $this->process = new Process(array_merge(
            [(string) getenv('ESALES_NOTIFY_COMMAND'), 'drain', '--base-url', $baseUrl, '--spool',
                $folder->path() . '/spool', '--listen', '127.0.0.1:0', '--listen', 'unix:' . $this->socket],
            $arguments
        ));
        $this->address = $this->process->waitFor(2, '~listening on http://(\S+)\n~');
        $this->process->waitFor(2, '~(listening on unix:)~');
    }

    /**
     * HOST:PORT.
     */
    public function address(): string
    {
        return $this->address;
    }

    /**
     * unix:PATH.
     */
    public function socket(): string
    {
        return 'unix:' . $this->socket;
    }

    public function stop(): void
    {
        $this->process->stop();
    }

    public function metrics(): string
    {
        return (string) Http::request('GET', 'http://' . $this->address . '/metrics', '')['body'];
    }
}
