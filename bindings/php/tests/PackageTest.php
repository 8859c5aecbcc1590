<?php

declare(strict_types=1);

namespace Esales\Notify\Tests;

use Esales\Notify\Exception\NotifyException;
use Esales\Notify\Tests\Support\Folder;
use Esales\Notify\Tests\Support\Package;
use Esales\Notify\Tests\Support\Process;
use Esales\Notify\Tests\Support\SandboxTestCase;

/**
 * The published package: its files, their style, Composer, and the example of the README.
 */
final class PackageTest extends SandboxTestCase
{
    private Folder $folder;

    protected function setUp(): void
    {
        parent::setUp();
        $this->folder = new Folder();
    }

    /**
     * Runs a program that must be installed, and returns its output.
     *
     * @param list<string>          $command
     * @param array<string, string> $environment
     */
    private function mustRun(array $command, array $environment = [], ?string $directory = null): string
    {
        $found = (new Process(['sh', '-c', 'command -v "$0"', $command[0]]))->finish();
        self::assertSame(0, $found[0], 'the suite needs the command ' . $command[0]);
        [$code, $output, $errors] = (new Process($command, $environment, $directory))->finish();
        self::assertSame(0, $code, $output . $errors);

        return $output;
    }

    /**
     * @param list<string> $arguments
     */
    private function composer(array $arguments, string $package): string
    {
        return $this->mustRun(array_merge(['composer', '--no-interaction'], $arguments), [
            'COMPOSER_ALLOW_SUPERUSER' => '1',
            'COMPOSER_DISABLE_NETWORK' => '1',
            'COMPOSER_HOME' => $this->folder->path('composer-home'),
        ], $package);
    }

    public function testEveryFileIsWellFormedPhp(): void
    {
        foreach (Package::sources() as $file) {
            self::assertStringContainsString('No syntax errors', $this->mustRun([PHP_BINARY, '-l', $file]));
        }
    }

    public function testEveryFileIsPsr12(): void
    {
        $this->mustRun(array_merge(['phpcs', '-q', '--standard=PSR12'], Package::sources()));
    }

    /**
     * PHP 7.4 is not installed: this finds the most likely later syntax.
     */
    public function testEveryFileIsValidPhp74(): void
    {
        $later = array_filter(
            ['T_ENUM', 'T_MATCH', 'T_READONLY', 'T_NULLSAFE_OBJECT_OPERATOR'],
            static fn (string $token): bool => defined($token)
        );
        $later = array_map('constant', $later);
        $patterns = [
            'a trailing comma in a parameter list' => '/\bfunction\b[^;{]*,\s*\)/',
            'a promoted property' => '/__construct\([^)]*\b(?:public|private|protected)\b/',
            'a catch without a variable' => '/\bcatch \([^)$]*\)/',
            'a union type' => '/(?:\): |[(,]\s*)\??\\\\?\w+\|[\w\\\\]/',
            'the type mixed, never or static' => '/(?:\): |[(,]\s?)(?:mixed|never|static)\b(?:;| \$|\s*\{)/',
            'an attribute that 7.4 would not take for a comment of its own' => '/#\[[^\]]*\][^\n]+\n/',
        ];
        foreach (Package::sources() as $file) {
            if ($file === __FILE__) {
                continue;
            }
            $code = '';
            foreach (token_get_all((string) file_get_contents($file)) as $token) {
                self::assertNotContains(is_array($token) ? $token[0] : null, $later, $file);
                $comment = is_array($token) && in_array($token[0], [T_COMMENT, T_DOC_COMMENT], true);
                $quoted = is_array($token) && $token[0] === T_CONSTANT_ENCAPSED_STRING;
                $code .= $comment || $quoted ? '' : (is_array($token) ? $token[1] : $token);
            }
            foreach ($patterns as $what => $pattern) {
                self::assertDoesNotMatchRegularExpression($pattern, $code, "$what in $file");
            }
        }
    }

    public function testPreloadLoadsEveryClassWithoutAnAutoloader(): void
    {
        $program = 'require $argv[1]; foreach (get_included_files() as $file) echo $file, "\n";';
        $included = explode("\n", trim($this->mustRun(
            [PHP_BINARY, '-r', $program, '--', Package::directory() . '/preload.php']
        )));
        $source = Package::directory() . '/src/';
        $classes = array_filter(
            Package::sources(),
            static fn (string $file): bool => strpos($file, $source) === 0
        );
        self::assertGreaterThan(20, count($classes));
        self::assertSame([], array_diff($classes, $included));
    }

    public function testEveryExceptionExtendsNotifyException(): void
    {
        foreach ((array) glob(Package::directory() . '/src/Exception/*Exception.php') as $file) {
            $class = 'Esales\Notify\Exception\\' . basename($file, '.php');
            self::assertTrue(is_a($class, NotifyException::class, true), $class);
        }
    }

    public function testComposerAcceptsThePackage(): void
    {
        $this->composer(['validate', '--strict'], $this->folder->package());
    }

    public function testPhpExampleRuns(): void
    {
        $package = $this->folder->package();
        $this->composer(['dump-autoload'], $package);

        $output = $this->mustRun(
            [PHP_BINARY, 'examples/add_to_cart.php'],
            ['ESALES_BASE_URL' => $this->sandbox->baseUrl(), 'ESALES_NOTIFY_LIBRARY' => Package::library()],
            $package
        );

        $received = $this->sandbox->received();
        self::assertCount(1, $received);
        $sent = $received[0]['notification'];
        self::assertSame('ESALES_DELIVERED ' . $sent['id'] . "\n", $output);
        $reference = Package::vectors('notifications.json')['the reference\'s example'][0];
        self::assertSame(
            [$reference['market'], $reference['customer_key'], $reference['session_key'], $reference['ticket']],
            [$sent['market'], $sent['customerKey'], $sent['sessionKey'], $sent['ticket']]
        );
    }

    public function testPhpQueueExampleRuns(): void
    {
        $package = $this->folder->package();
        $this->composer(['dump-autoload'], $package);

        $output = $this->mustRun(
            [PHP_BINARY, 'examples/enqueue.php'],
            [
                'ESALES_BASE_URL' => $this->sandbox->baseUrl(),
                'ESALES_SPOOL' => $this->folder->path('spool'),
                'ESALES_NOTIFY_LIBRARY' => Package::library(),
            ],
            $package
        );

        $received = $this->sandbox->received();
        self::assertCount(1, $received);
        $id = $received[0]['notification']['id'];
        self::assertSame("ESALES_QUEUED $id\nESALES_DELIVERED\n", $output);
    }

    public function testPhpPaymentExampleRuns(): void
    {
        $package = $this->folder->package();
        $this->composer(['dump-autoload'], $package);

        $output = $this->mustRun(
            [PHP_BINARY, 'examples/payment.php'],
            ['ESALES_BASE_URL' => $this->sandbox->baseUrl(), 'ESALES_NOTIFY_LIBRARY' => Package::library()],
            $package
        );

        self::assertSame(str_repeat("ESALES_DELIVERED\n", 5), $output);
        $kinds = array_map(
            static fn (array $one): string => basename(explode('?', $one['path'])[0]),
            $this->sandbox->received()
        );
        self::assertSame(['click', 'non-esales-click', 'non-esales-adding-to-cart', 'payment', 'end'], $kinds);
    }

    public function testPhpReadmeQuotesTheExamples(): void
    {
        $readme = (string) file_get_contents(Package::directory() . '/README.md');
        $examples = (array) glob(Package::directory() . '/examples/*.php');

        self::assertNotSame([], $examples);
        foreach ($examples as $example) {
            self::assertStringContainsString("```php\n" . file_get_contents($example) . "```\n", $readme);
        }
    }

    public function testPhpReadmeNamesEveryException(): void
    {
        $readme = (string) file_get_contents(Package::directory() . '/README.md');
        foreach ((array) glob(Package::directory() . '/src/Exception/*Exception.php') as $file) {
            self::assertStringContainsString('`' . basename($file, '.php') . '`', $readme);
        }
    }
}
