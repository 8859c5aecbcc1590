<?php

declare(strict_types=1);

namespace Esales\Notify\Tests;

use Esales\Notify\Client;
use Esales\Notify\Exception\FinalException;
use Esales\Notify\Exception\InternalException;
use Esales\Notify\Exception\RetryableException;
use Esales\Notify\Internal\Failure;
use Esales\Notify\Internal\Library;
use Esales\Notify\Kind;
use Esales\Notify\Status;
use Esales\Notify\Tests\Support\Package;
use PHPUnit\Framework\TestCase;

/**
 * The codes and versions are equal to those of the C header.
 */
final class StatusTest extends TestCase
{
    public function testStatusConstantsEqualTheHeader(): void
    {
        preg_match_all(
            '/^#define ESALES_([A-Z_]+) (-?\d+)$/m',
            Package::shared('include/esales_notify.h'),
            $found
        );
        $header = array_filter(
            array_combine($found[1], array_map('intval', $found[2])),
            // Levels are no codes, and limits neither.
            static fn (string $name): bool => preg_match('/^(MAX|LOG)_/', $name) !== 1,
            ARRAY_FILTER_USE_KEY
        );
        $kinds = (new \ReflectionClass(Kind::class))->getConstants();
        self::assertSame($kinds, array_intersect_key($header, $kinds));
        $header = array_diff_key($header, $kinds);
        $constants = (new \ReflectionClass(Status::class))->getConstants();

        self::assertGreaterThanOrEqual(21, count($header));
        ksort($header);
        ksort($constants);
        self::assertSame($header, $constants);
        foreach ($constants as $name => $code) {
            self::assertSame('ESALES_' . $name, Status::name($code));
            self::assertStringEndsWith('.', Status::text($code));
        }
        self::assertSame('ESALES_UNKNOWN', Status::name(12345));
    }

    public function testLogLevelsEqualTheHeader(): void
    {
        preg_match_all(
            '/^#define ESALES_LOG_([A-Z]+) (\d+)$/m',
            Package::shared('include/esales_notify.h'),
            $found
        );
        $header = array_combine(array_map('intval', $found[2]), $found[1]);
        $constants = (new \ReflectionClass(Library::class))->getConstants();

        // PSR-3 has another name for one of them.
        $names = array_map(
            static fn (string $name): string => strtoupper(strtr($name, ['warning' => 'warn'])),
            $constants['LEVEL_NAMES']
        );
        self::assertSame([0 => 'OFF'] + $names, $header);
        foreach ($constants['LEVEL_NAMES'] as $level => $name) {
            self::assertSame($level, $constants['LEVELS'][$name]);
        }
    }

    public function testVersionsEqualTheHeader(): void
    {
        $header = Package::shared('include/esales_notify.h');
        self::assertSame(1, preg_match('/^#define ESALES_VERSION "(.+)"$/m', $header, $found));
        self::assertSame($found[1], Client::VERSION);
        self::assertSame($found[1], Client::libraryVersion());
    }

    public function testUnknownCodeRaisesTheExceptionOfItsGroup(): void
    {
        $class = static fn (int $code): string => get_class(Failure::exception($code, 'ESALES_NEW', 'message', null));
        self::assertSame(FinalException::class, $class(-19));
        self::assertSame(RetryableException::class, $class(-29));
        self::assertSame(InternalException::class, $class(Status::INTERNAL));
        self::assertSame(InternalException::class, $class(-77));
        self::assertSame(-77, Failure::exception(-77, 'ESALES_NEW', 'message', null)->getStatus());
    }

    public function testEveryErrorCodeHasAnException(): void
    {
        foreach ((new \ReflectionClass(Status::class))->getConstants() as $name => $code) {
            if ($code < 0) {
                $className = str_replace('_', '', ucwords(strtolower($name), '_'));
                $class = get_class(Failure::exception($code, $name, 'message', null));
                self::assertSame('Esales\Notify\Exception\\' . $className . 'Exception', $class);
            }
        }
    }
}
