<?php

declare(strict_types=1);

namespace Esales\Notify\Tests;

use Esales\Notify\Tests\Support\Package;
use Esales\Notify\Tests\Support\Process;
use PHPUnit\Framework\TestCase;

/**
 * Hosts that disable PHP functions (disable_functions) or the class FFI.
 */
final class DisabledTest extends TestCase
{
    /** The files of the client of an agent. */
    private const OF_AGENT = '~/Internal/(Agent\w*|Wording)\.php$~';

    /**
     * Every PHP function that the package calls, except in the client of an agent.
     *
     * @return list<string>
     */
    private static function called(): array
    {
        return self::calledIn(static fn (string $path): bool => preg_match(self::OF_AGENT, $path) !== 1);
    }

    /**
     * Every PHP function that the client of an agent calls.
     *
     * @return list<string>
     */
    private static function calledByAgent(): array
    {
        $called = self::calledIn(static fn (string $path): bool => preg_match(self::OF_AGENT, $path) === 1);

        return array_values(array_diff($called, self::called()));
    }

    /**
     * @return list<string>
     */
    private static function calledIn(callable $isMeant): array
    {
        $found = [];
        foreach (Package::sources() as $file) {
            $path = substr($file, strlen(Package::directory()));
            if (preg_match('~/(tests|examples)/~', $path) === 1 || !$isMeant($path)) {
                continue;
            }
            $tokens = array_values(array_filter(
                token_get_all((string) file_get_contents($file)),
                static fn ($token): bool => !is_array($token)
                    || !in_array($token[0], [T_WHITESPACE, T_COMMENT, T_DOC_COMMENT], true)
            ));
            foreach ($tokens as $i => $token) {
                if (!is_array($token) || $token[0] !== T_STRING || ($tokens[$i + 1] ?? '') !== '(') {
                    continue;
                }
                $before = is_array($tokens[$i - 1]) ? $tokens[$i - 1][0] : $tokens[$i - 1];
                if (!in_array($before, [T_FUNCTION, T_OBJECT_OPERATOR, T_DOUBLE_COLON, T_NEW, T_NS_SEPARATOR], true)) {
                    $found[$token[1]] = true;
                }
            }
        }
        ksort($found);

        return array_keys($found);
    }

    /**
     * @param list<string> $settings
     *
     * @return list<string> a line for each entry point of the package
     */
    private function entrances(array $settings): array
    {
        $php = new Process(
            array_merge([PHP_BINARY, '-d', 'display_errors=stderr'], $settings, [__DIR__ . '/programs/disabled.php']),
            ['ESALES_NOTIFY_LIBRARY' => Package::library(), 'ESALES_CLUSTER_ID' => 'a']
        );
        [$code, $output, $errors] = $php->finish();
        self::assertSame(0, $code, implode(' ', $settings) . $output . $errors);
        self::assertStringNotContainsString('undefined function', $output . $errors);

        return explode("\n", trim($output));
    }

    public function testListOfNeededFunctionsEqualsTheCode(): void
    {
        $code = Package::directory() . '/src/Internal/Functions.php';
        $lists = ['NEEDED' => self::called(), 'NEEDED_BY_AGENT' => self::calledByAgent()];
        foreach ($lists as $constant => $called) {
            preg_match("/const $constant = \\[(.*?)\\]/s", (string) file_get_contents($code), $list);
            preg_match_all("/'(\w+)'/", $list[1], $names);
            self::assertSame($called, $names[1]);
            self::assertGreaterThan(10, count($names[1]));
        }
    }

    public function testLibraryExceptionNamesTheFunctionWhenItIsDisabled(): void
    {
        foreach (self::calledByAgent() as $function) {
            foreach ($this->entrances(['-d', 'disable_functions=' . $function]) as $line) {
                if (strpos($line, 'a client of an agent: ') === 0) {
                    self::assertStringContainsString('needs are disabled: ' . $function . '().', $line);
                }
            }
        }
    }

    public function testLibraryExceptionNamesADisabledFunction(): void
    {
        foreach (self::called() as $function) {
            foreach ($this->entrances(['-d', 'disable_functions=' . $function]) as $line) {
                self::assertStringContainsString('needs are disabled: ' . $function . '().', $line);
                self::assertStringContainsString('disable_functions', $line);
            }
        }
    }

    public function testLibraryExceptionNamesEveryDisabledFunction(): void
    {
        $lines = $this->entrances(['-d', 'disable_functions=exec,getenv,system,file_get_contents,function_exists']);
        foreach ($lines as $line) {
            self::assertStringContainsString('needs are disabled: file_get_contents(), getenv().', $line);
        }
        foreach ($this->entrances(['-d', 'disable_functions=' . implode(',', self::called())]) as $line) {
            self::assertStringContainsString('array_keys(), array_slice(), ', $line);
            self::assertStringContainsString('strtoupper(), substr(), vsprintf().', $line);
        }
    }

    public function testClientWorksWhenOtherFunctionsAreDisabled(): void
    {
        // Functions that shared hosts disable.
        $lines = $this->entrances(['-d', 'disable_functions=exec,passthru,shell_exec,system,proc_open,popen,putenv,'
            . 'ini_set,phpinfo,curl_exec,parse_ini_file,show_source,symlink,function_exists,fopen,mail']);
        foreach ($lines as $line) {
            self::assertStringEndsWith(
                strpos($line, 'a client with a library') === 0 ? 'this path was given.' : ': works',
                $line
            );
        }
    }

    public function testLibraryExceptionNamesTheDisabledFfiClass(): void
    {
        if (PHP_VERSION_ID >= 80500) {
            self::markTestSkipped('PHP 8.5 has no disable_classes');
        }
        foreach ($this->entrances(['-d', 'disable_classes=FFI']) as $line) {
            $needsNone = '/^a (client of an agent|visitor|line|notification|customer key|new key): works/';
            if (preg_match($needsNone, $line) !== 1) {
                self::assertStringContainsString('class FFI', $line);
                self::assertStringContainsString('disable_classes', $line);
            }
        }
    }

    public function testPreloadHeaderCommandNamesADisabledFunction(): void
    {
        foreach (['fwrite', 'in_array', 'count', 'array_slice', 'realpath'] as $function) {
            $command = new Process([
                PHP_BINARY,
                '-d',
                'display_errors=stderr',
                '-d',
                'disable_functions=' . $function,
                Package::directory() . '/bin/esales-notify-preload-header',
                Package::library(),
            ]);
            [$code, $output, $errors] = $command->finish();
            self::assertSame(255, $code);
            self::assertStringContainsString('disabled: ' . $function . '()', $output . $errors);
        }
    }
}
