<?php

declare(strict_types=1);

namespace Esales\Notify\Tests;

use Esales\Notify\Tests\Support\Folder;
use Esales\Notify\Tests\Support\Http;
use Esales\Notify\Tests\Support\Package;
use Esales\Notify\Tests\Support\Process;
use Esales\Notify\Tests\Support\SandboxTestCase;

/**
 * The package under a web server, where PHP restricts FFI. `php -S` counts as one.
 *
 * Every test requests several pages of one server: the connection of the first page view must serve the others.
 */
final class WebServerTest extends SandboxTestCase
{
    private const OK = "cli-server ESALES_DELIVERED\n";

    private Folder $folder;

    /** A property, so that the server does not end before the test. */
    private Process $server;

    protected function setUp(): void
    {
        parent::setUp();
        $this->folder = new Folder();
    }

    /**
     * Starts a server of one page.
     *
     * @param array<string, string> $ini
     * @param array<string, string> $environment
     *
     * @return string the page's address
     */
    private function serve(string $page, array $ini, array $environment): string
    {
        // The page and the package are copied: opcache.preload_user need not be able to read the repository.
        $this->folder->write($page, (string) file_get_contents(__DIR__ . '/programs/' . $page));
        $settings = [];
        foreach ($ini as $name => $value) {
            array_push($settings, '-d', $name . '=' . $value);
        }
        $this->server = new Process(
            array_merge([PHP_BINARY], $settings, ['-S', '127.0.0.1:0', '-t', $this->folder->path()]),
            $environment + [
                'ESALES_BASE_URL' => $this->sandbox->baseUrl(),
                'TEST_PRELOAD_PHP' => $this->packaged() . '/preload.php',
                // Otherwise the environment of the caller may let the server share its port among processes.
                'PHP_CLI_SERVER_WORKERS' => '1',
            ]
        );

        return $this->server->waitFor(2, '~Development Server \((http://\S+)\) started~') . '/' . $page;
    }

    private function page(string $address): string
    {
        $answer = Http::request('GET', $address);
        self::assertSame(200, $answer['status'], $answer['body']);

        return $answer['body'];
    }

    /**
     * The answers to three page views.
     *
     * @param array<string, string> $ini
     * @param array<string, string> $environment
     *
     * @return list<string>
     */
    private function pages(array $ini, array $environment): array
    {
        $address = $this->serve('page.php', $ini, $environment);

        return [$this->page($address), $this->page($address), $this->page($address)];
    }

    private function packaged(): string
    {
        $path = $this->folder->path('package');

        return is_dir($path) ? $path : $this->folder->package();
    }

    /**
     * @return array<string, string>
     */
    private function variable(): array
    {
        return ['ESALES_NOTIFY_LIBRARY' => Package::library()];
    }

    private function header(): string
    {
        $script = Package::directory() . '/bin/esales-notify-preload-header';
        [$code, $header, $errors] = (new Process([PHP_BINARY, $script, Package::library()]))->finish();
        self::assertSame([0, ''], [$code, $errors]);

        return $this->folder->write('preload.h', $header);
    }

    /**
     * @return array<string, string>
     */
    private function opcachePreload(): array
    {
        return [
            'opcache.enable' => '1',
            'opcache.enable_cli' => '1',
            'opcache.preload' => $this->packaged() . '/preload.php',
            // Root may not preload; for other users it is the user itself.
            'opcache.preload_user' => posix_geteuid() === 0 ? 'nobody' : posix_getpwuid(posix_geteuid())['name'],
        ];
    }

    /**
     * @param list<string> $answers
     */
    private function assertDeliveredOverOneConnection(array $answers): void
    {
        self::assertSame([self::OK, self::OK, self::OK], $answers);
        self::assertCount(3, $this->sandbox->received());
        self::assertSame(1, $this->sandbox->connections());
    }

    /**
     * @param list<string> $answers
     */
    private function assertRefusedWithAdvice(array $answers): void
    {
        self::assertCount(1, array_unique($answers));
        self::assertStringStartsWith('cli-server LibraryException ', $answers[0]);
        foreach (['ffi.enable=preload', '"ffi.enable=1"', $this->packaged() . '/preload.php"'] as $word) {
            self::assertStringContainsString($word, $answers[0]);
        }
        self::assertSame([], $this->sandbox->received());
    }

    public function testClientIsRefusedWithAdviceWhenFfiEnableHasItsDefault(): void
    {
        $this->assertRefusedWithAdvice($this->pages(['ffi.enable' => 'preload'], $this->variable()));
    }

    public function testClientIsRefusedWithAdviceWhenOnlyFfiPreloadIsSet(): void
    {
        // PHP restricts the call of FFI::scope() just as that of FFI::cdef().
        $ini = ['ffi.enable' => 'preload', 'ffi.preload' => $this->header()];
        $this->assertRefusedWithAdvice($this->pages($ini, $this->variable()));
    }

    public function testPageSendsWhenFfiIsEnabled(): void
    {
        $this->assertDeliveredOverOneConnection($this->pages(['ffi.enable' => '1'], $this->variable()));
    }

    public function testPageSendsWhenFfiIsEnabledAndFfiPreloadIsSet(): void
    {
        // Without the variable: only the header has the path of the library.
        $ini = ['ffi.enable' => '1', 'ffi.preload' => $this->header()];
        $this->assertDeliveredOverOneConnection($this->pages($ini, ['LD_LIBRARY_PATH' => '']));
    }

    public function testPageSendsWhenTheAdviceForOpcachePreloadIsFollowed(): void
    {
        $ini = ['ffi.enable' => 'preload'] + $this->opcachePreload();
        $this->assertDeliveredOverOneConnection($this->pages($ini, $this->variable()));
    }

    public function testPageSendsWhenOpcachePreloadAndFfiPreloadAreSet(): void
    {
        $ini = ['ffi.enable' => 'preload', 'ffi.preload' => $this->header()] + $this->opcachePreload();
        $this->assertDeliveredOverOneConnection($this->pages($ini, ['LD_LIBRARY_PATH' => '']));
    }

    public function testPaymentIsSentWhenOnlyPreloadedCodeCanUseFfi(): void
    {
        // Code that opcache has optimised must also keep the strings during the call.
        $ini = ['ffi.enable' => 'preload'] + $this->opcachePreload();
        $address = $this->serve('payment.php', $ini, $this->variable());
        for ($i = 1; $i <= 3; $i++) {
            self::assertSame(self::OK, $this->page($address));
        }
        $quantities = [];
        for ($i = 1; $i <= 500; $i++) {
            $quantities["product $i"] = $i;
        }
        $received = $this->sandbox->received();
        self::assertCount(3, $received);
        foreach ($received as $one) {
            $lines = json_decode($one['body'], true, 8, JSON_THROW_ON_ERROR)['lines'];
            self::assertSame($quantities, array_column($lines, 'quantity', 'productKey'));
        }
    }

    public function testEnqueueDoesNotWaitForTheServiceInAPage(): void
    {
        $this->sandbox->script('204, hang');
        // The strictest settings: only preloaded code may use FFI, also when it logs.
        $ini = ['ffi.enable' => 'preload', 'ffi.preload' => $this->header()] + $this->opcachePreload();
        $address = $this->serve('enqueue.php', $ini, ['ESALES_TIMEOUT_MS' => (string) self::BUDGET_MS]);
        $before = hrtime(true);

        self::assertStringEndsWith("cli-server ESALES_QUEUED\n", $this->page($address . '?id=one'));
        $this->awaitReceived(['one']);
        $answers = $this->page($address . '?id=two');
        self::assertStringEndsWith("cli-server ESALES_QUEUED\n", $answers);
        $this->awaitReceived(['one', 'two']);
        // The second request hangs, which delays no page view. A later page view gets the log messages of the first.
        $this->eventually(function () use ($address, &$answers): ?bool {
            $answers .= $this->page($address . '?id=later');

            return preg_match('/^debug .*\bone\b/m', $answers) === 1 ? true : null;
        });
        self::assertLessThan(self::BUDGET_MS * 1e6, hrtime(true) - $before, 'it waited until the service hung up');
    }

    /**
     * @param list<string> $ids
     */
    private function awaitReceived(array $ids): void
    {
        $this->eventually(function () use ($ids): ?bool {
            $received = array_column(array_column($this->sandbox->received(), 'notification'), 'id');

            return $received === $ids ? true : null;
        });
    }

    public function testClientIsRefusedWithAdviceWhenFfiIsOffInAWebServer(): void
    {
        $answers = $this->pages(['ffi.enable' => '0'], $this->variable());

        self::assertStringStartsWith('cli-server LibraryException ', $answers[0]);
        self::assertStringContainsString('"ffi.enable=1"', $answers[0]);
        self::assertStringNotContainsString('opcache', $answers[0]);
    }
}
