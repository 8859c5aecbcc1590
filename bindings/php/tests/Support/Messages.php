<?php

declare(strict_types=1);

namespace Esales\Notify\Tests\Support;

/**
 * A logger that keeps its messages, with the method of Psr\Log\LoggerInterface.
 */
class Messages
{
    /** @var list<array{string, string, array<mixed>}> */
    private array $entries = [];

    /**
     * @param string       $level
     * @param string       $message
     * @param array<mixed> $context
     */
    public function log($level, $message, array $context = []): void
    {
        $this->entries[] = [$level, $message, $context];
    }

    /**
     * @return list<string>
     */
    public function levels(): array
    {
        return array_column($this->entries, 0);
    }

    /**
     * All messages, one on each line.
     */
    public function text(): string
    {
        return implode("\n", array_column($this->entries, 1));
    }

    /**
     * @return list<array<mixed>>
     */
    public function contexts(): array
    {
        return array_column($this->entries, 2);
    }
}
