<?php

declare(strict_types=1);

namespace Esales\Notify\Tests;

use Esales\Notify\Client;
use Esales\Notify\Exception\InvalidArgumentException;
use Esales\Notify\Exception\LibraryException;
use Esales\Notify\Exception\NotifyException;
use Esales\Notify\Tests\Support\Folder;
use Esales\Notify\Tests\Support\Package;
use Esales\Notify\Tests\Support\Process;
use Esales\Notify\Tests\Support\SandboxTestCase;

/**
 * How the library is found and loaded, in separate processes on the command line.
 */
final class LoadingTest extends SandboxTestCase
{
    private const OK = "cli ESALES_DELIVERED\n";

    private Folder $folder;

    protected function setUp(): void
    {
        parent::setUp();
        $this->folder = new Folder();
    }

    /**
     * Runs the page in a separate PHP process.
     *
     * @param list<string>          $settings    arguments of PHP
     * @param array<string, string> $environment
     */
    private function page(array $settings, array $environment): string
    {
        $php = new Process(
            array_merge([PHP_BINARY], $settings, [__DIR__ . '/programs/page.php']),
            $environment + ['ESALES_BASE_URL' => $this->sandbox->baseUrl()]
        );
        [$code, $output, $errors] = $php->finish();
        self::assertSame([0, ''], [$code, $errors], $output . $errors);

        return $output;
    }

    /**
     * Makes a preload header with the package's command.
     */
    private function header(): string
    {
        $command = new Process([
            PHP_BINARY,
            Package::directory() . '/bin/esales-notify-preload-header',
            Package::library(),
        ]);
        [$code, $header, $errors] = $command->finish();
        self::assertSame([0, ''], [$code, $errors]);

        return $this->folder->write('preload.h', $header);
    }

    /**
     * A library that has every function of the header, without effect, and another version.
     */
    private function libraryOfVersion(string $version): string
    {
        preg_match_all('/\b(esales_\w+)\(/', Package::shared('include/esales_notify.h'), $found);
        $functions = array_diff(array_unique($found[1]), ['esales_version']);
        self::assertNotSame([], $functions);
        $code = 'const char *esales_version(void) { return "' . $version . "\"; }\n";
        foreach ($functions as $function) {
            $code .= "int $function(void) { return 0; }\n";
        }
        $library = $this->folder->path('libother.so');
        $compiler = new Process(
            ['cc', '-shared', '-fPIC', '-o', $library, $this->folder->write('other.c', $code)]
        );
        self::assertSame(0, $compiler->finish()[0], 'the suite needs a C compiler, cc');

        return $library;
    }

    public function testLibraryPathArgumentIsTriedFirst(): void
    {
        $output = $this->page([], [
            'TEST_LIBRARY_ARGUMENT' => Package::library(),
            'ESALES_NOTIFY_LIBRARY' => '/nonexistent/variable.so',
        ]);
        self::assertSame(self::OK, $output);
    }

    public function testLibraryPathVariableIsTriedSecond(): void
    {
        self::assertSame(self::OK, $this->page([], ['ESALES_NOTIFY_LIBRARY' => Package::library()]));
    }

    public function testLibraryInThePackageIsTriedThird(): void
    {
        $package = $this->folder->package();
        mkdir($package . '/lib');
        symlink(Package::library(), $package . '/lib/libesales_notify.so');

        self::assertSame(self::OK, $this->page([], ['TEST_PRELOAD_PHP' => $package . '/preload.php']));
    }

    public function testSystemLoaderIsTriedLast(): void
    {
        $package = $this->folder->package();
        symlink(Package::library(), $this->folder->path('libesales_notify.so.0'));

        $output = $this->page([], [
            'TEST_PRELOAD_PHP' => $package . '/preload.php',
            'LD_LIBRARY_PATH' => $this->folder->path(),
        ]);
        self::assertSame(self::OK, $output);
    }

    public function testLibraryExceptionListsEveryPathThatWasTried(): void
    {
        $package = $this->folder->package();
        // A file that is no library must not hide that the search continued.
        mkdir($package . '/lib');
        file_put_contents($package . '/lib/libesales_notify.so', 'no library');

        // LD_LIBRARY_PATH is empty: a library that is installed on the machine must not be found.
        $output = $this->page([], ['TEST_PRELOAD_PHP' => $package . '/preload.php', 'LD_LIBRARY_PATH' => '']);

        self::assertStringStartsWith('cli LibraryException ', $output);
        $expected = ['$library', 'ESALES_NOTIFY_LIBRARY', 'ffi.preload', $package . '/lib/libesales_notify.so'];
        $place = 0;
        array_push($expected, 'libesales_notify.so.0 (the system\'s loader)', 'Install the library');
        foreach ($expected as $word) {
            $found = strpos($output, $word, $place);
            self::assertNotFalse($found, "$word is missing, or in the wrong place: $output");
            $place = $found;
        }
    }

    public function testNoOtherLibraryIsTriedWhenAPathIsGiven(): void
    {
        $output = $this->page([], [
            'TEST_LIBRARY_ARGUMENT' => '/nonexistent/argument.so',
            'ESALES_NOTIFY_LIBRARY' => Package::library(),
        ]);
        self::assertStringContainsString('LibraryException', $output);
        self::assertStringContainsString('/nonexistent/argument.so (the argument $library)', $output);

        $output = $this->page([], ['ESALES_NOTIFY_LIBRARY' => '/nonexistent/variable.so']);
        self::assertStringContainsString('LibraryException', $output);
        self::assertStringContainsString('/nonexistent/variable.so', $output);
        self::assertStringContainsString('the environment variable ESALES_NOTIFY_LIBRARY', $output);
        self::assertSame([], $this->sandbox->received());
    }

    public function testLibraryExceptionIsANotifyException(): void
    {
        $e = $this->failure(fn () => new Client(['cluster_id' => 'a'], '/nonexistent/argument.so'));

        self::assertInstanceOf(LibraryException::class, $e);
        self::assertInstanceOf(NotifyException::class, $e);
        self::assertSame([null, null, null], [$e->getStatus(), $e->getStatusName(), $e->getReceipt()]);
        self::assertInstanceOf(\FFI\Exception::class, $e->getPrevious());
    }

    public function testLibraryPathIsRefusedWhenItIsEmptyOrHasANul(): void
    {
        foreach (['', "a\0b"] as $path) {
            $e = $this->failure(fn () => new Client(['cluster_id' => 'a'], $path));
            self::assertInstanceOf(InvalidArgumentException::class, $e);
            self::assertStringContainsString('library', $e->getMessage());
        }
    }

    public function testLibraryOfAnotherMinorVersionIsRefused(): void
    {
        $output = $this->page([], ['ESALES_NOTIFY_LIBRARY' => $this->libraryOfVersion('0.2.0')]);

        self::assertStringContainsString('LibraryException', $output);
        self::assertStringContainsString('version 0.2.0', $output);
        self::assertStringContainsString(Client::VERSION, $output);
    }

    public function testLibraryOfAnotherPatchVersionIsAccepted(): void
    {
        self::assertSame('0.1.99', Client::libraryVersion($this->libraryOfVersion('0.1.99')));
    }

    public function testFileThatIsAnotherLibraryIsRefused(): void
    {
        $output = $this->page([], ['ESALES_NOTIFY_LIBRARY' => 'libc.so.6']);

        self::assertStringContainsString('LibraryException', $output);
        self::assertStringContainsString('libc.so.6', $output);
        self::assertStringContainsString('esales_version', $output);
    }

    public function testClientUsesTheHeaderThatFfiPreloadLoaded(): void
    {
        $package = $this->folder->package();
        // Only the preloaded scope has the path of the library here.
        $environment = ['TEST_PRELOAD_PHP' => $package . '/preload.php', 'LD_LIBRARY_PATH' => ''];
        self::assertStringContainsString('LibraryException', $this->page([], $environment));

        self::assertSame(self::OK, $this->page(['-d', 'ffi.preload=' . $this->header()], $environment));
    }

    public function testFfiPreloadOfAnotherVersionIsRefused(): void
    {
        $header = $this->header();
        $other = str_replace(Package::library(), $this->libraryOfVersion('0.2.0'), (string) file_get_contents($header));

        $output = $this->page(['-d', 'ffi.preload=' . $this->folder->write('other.h', $other)], []);

        self::assertStringContainsString('LibraryException', $output);
        self::assertStringContainsString('version 0.2.0', $output);
        self::assertStringContainsString('ffi.preload', $output);
    }

    public function testPreloadHeaderHasTheAbsolutePathOfTheLibrary(): void
    {
        $lines = explode("\n", (string) file_get_contents($this->header()));

        self::assertSame('#define FFI_SCOPE "esales_notify"', $lines[0]);
        self::assertSame('#define FFI_LIB "' . Package::library() . '"', $lines[1]);
        self::assertSame([], preg_grep('/^#/', array_slice($lines, 2)));
    }

    public function testPreloadHeaderIsNotMadeWhenThereIsNoLibrary(): void
    {
        $script = $this->folder->package() . '/bin/esales-notify-preload-header';
        foreach ([['/nonexistent/argument.so'], []] as $arguments) {
            $command = new Process(array_merge([PHP_BINARY, $script], $arguments), ['LD_LIBRARY_PATH' => '']);
            [$code, $output, $errors] = $command->finish();
            self::assertSame([1, ''], [$code, $output]);
            self::assertStringContainsString('no library that works was found', $errors);
            self::assertStringContainsString($arguments[0] ?? 'libesales_notify.so.0', $errors);
        }
        $command = new Process([PHP_BINARY, $script, 'a', 'b']);
        self::assertSame(2, $command->finish()[0]);
    }

    public function testLibraryExceptionIsRaisedWhenFfiIsOff(): void
    {
        $output = $this->page(['-d', 'ffi.enable=0'], ['ESALES_NOTIFY_LIBRARY' => Package::library()]);

        self::assertStringContainsString('LibraryException', $output);
        self::assertStringContainsString('switched off', $output);
        self::assertStringContainsString('"ffi.enable=1"', $output);
    }

    /**
     * @dataProvider phpsWithoutFfi
     *
     * @param list<string> $settings
     */
    public function testIdentityGivesKeysWhenFfiIsOff(array $settings): void
    {
        $program = sprintf(
            'require %s; use Esales\Notify\Identity; echo Identity::customerKey("abc"), " ",'
            . ' Identity::customerToken("k", "c"), " ", Identity::newKey();',
            var_export(Package::directory() . '/preload.php', true)
        );
        $php = new Process(array_merge([PHP_BINARY], $settings, ['-r', $program]), []);
        [$code, $output, $errors] = $php->finish();

        self::assertSame([0, ''], [$code, $errors], $output);
        $key = hash('sha256', 'abc') . ' ' . hash_hmac('sha256', 'c', 'k');
        self::assertMatchesRegularExpression(
            '/^' . $key . ' [0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/D',
            $output
        );
    }

    /**
     * @return array<string, array{list<string>}>
     */
    public static function phpsWithoutFfi(): array
    {
        return ['switched off' => [['-d', 'ffi.enable=0']], 'no extension' => [['-n']]];
    }

    public function testLibraryExceptionIsRaisedWhenTheFfiExtensionIsMissing(): void
    {
        // -n leaves out the php.ini files, and with them the shared extensions.
        $output = $this->page(['-n'], ['ESALES_NOTIFY_LIBRARY' => Package::library()]);

        self::assertStringContainsString('LibraryException', $output);
        self::assertStringContainsString('"extension=ffi"', $output);
    }
}
