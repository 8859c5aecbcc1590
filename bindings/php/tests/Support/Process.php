<?php

declare(strict_types=1);

namespace Esales\Notify\Tests\Support;

/**
 * A program that runs beside the tests and ends with this object.
 */
final class Process
{
    /** Longest time of a step, in seconds; longer counts as hung. */
    public const LIMIT_S = 300;

    /** @var resource|null */
    private $process;

    /** @var array<int, resource> */
    private array $pipes = [];

    /** @var array<int, string> the output so far: standard output (1) and standard error (2) */
    private array $read = [1 => '', 2 => ''];

    /**
     * @param list<string>          $command
     * @param array<string, string> $environment added to this process's, less its ESALES_ variables
     */
    public function __construct(array $command, array $environment = [], ?string $directory = null)
    {
        $inherited = array_filter(
            getenv(),
            static fn (string $name): bool => strpos($name, 'ESALES_') !== 0,
            ARRAY_FILTER_USE_KEY
        );
        $process = proc_open(
            $command,
            [['file', '/dev/null', 'r'], ['pipe', 'w'], ['pipe', 'w']],
            $this->pipes,
            $directory,
            $environment + $inherited
        );
        if (!is_resource($process)) {
            throw new \RuntimeException('cannot start ' . implode(' ', $command));
        }
        $this->process = $process;
        foreach ($this->pipes as $pipe) {
            stream_set_blocking($pipe, false);
        }
    }

    public function __destruct()
    {
        $this->stop();
    }

    /**
     * Waits until an output matches, and returns the match's first group.
     */
    public function waitFor(int $stream, string $pattern): string
    {
        $deadline = microtime(true) + self::LIMIT_S;
        while (preg_match($pattern, $this->read[$stream], $match) !== 1) {
            if (!$this->readMore($deadline)) {
                throw new \RuntimeException("did not print $pattern, but: " . $this->read[1] . $this->read[2]);
            }
        }

        return $match[1];
    }

    /**
     * Waits for the end.
     *
     * @return array{int, string, string} exit code, standard output, standard error
     */
    public function finish(): array
    {
        $deadline = microtime(true) + self::LIMIT_S;
        while ($this->readMore($deadline)) {
            continue;
        }
        if ($this->pipes !== [] || $this->process === null) {
            throw new \RuntimeException('did not end, after printing: ' . $this->read[1] . $this->read[2]);
        }
        $code = proc_close($this->process);
        $this->process = null;

        return [$code, $this->read[1], $this->read[2]];
    }

    public function stop(): void
    {
        if ($this->process !== null) {
            proc_terminate($this->process, 9);
            proc_close($this->process);
            $this->process = null;
        }
    }

    /**
     * @return bool whether more output is possible; false at the end of both outputs and after the deadline
     */
    private function readMore(float $deadline): bool
    {
        $left = $deadline - microtime(true);
        if ($this->pipes === [] || $left <= 0) {
            return false;
        }
        $ready = $this->pipes;
        $none = null;
        stream_select($ready, $none, $none, (int) $left, (int) (fmod($left, 1) * 1e6));
        foreach ($ready as $stream => $pipe) {
            $this->read[$stream] .= (string) fread($pipe, 65536);
            if (feof($pipe)) {
                fclose($pipe);
                unset($this->pipes[$stream]);
            }
        }

        return true;
    }
}
