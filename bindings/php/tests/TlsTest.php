<?php

declare(strict_types=1);

namespace Esales\Notify\Tests;

use Esales\Notify\Exception\TlsFailedException;
use Esales\Notify\Status;
use Esales\Notify\Tests\Support\Folder;
use Esales\Notify\Tests\Support\Sandbox;
use Esales\Notify\Tests\Support\SandboxTestCase;

/**
 * The certificates that the client trusts.
 */
final class TlsTest extends SandboxTestCase
{
    private Folder $folder;

    protected function setUp(): void
    {
        $this->folder = new Folder();
    }

    private function start(string $certificate): void
    {
        $this->sandbox = new Sandbox(['--tls', $certificate, '--ca-file', $this->folder->path('ca.pem')]);
    }

    public function testCertificateOfTheAuthorityInCaFileIsTrusted(): void
    {
        $this->start('valid');
        self::assertStringStartsWith('https://', $this->sandbox->baseUrl());

        $receipt = $this->send($this->client(['ca_file' => $this->sandbox->caFile()]));

        self::assertSame(204, $receipt->getHttpStatus());
        self::assertCount(1, $this->sandbox->received());
    }

    /**
     * @return array<string, array{string, bool}>
     */
    public static function untrusted(): array
    {
        return [
            'an authority that is not the system\'s' => ['valid', false],
            'self-signed' => ['self-signed', false],
            'self-signed, with another authority given' => ['self-signed', true],
            'another host\'s' => ['wrong-host', true],
            'expired' => ['expired', true],
            'of an unknown authority' => ['unknown-ca', true],
        ];
    }

    /**
     * @dataProvider untrusted
     */
    public function testNothingIsSentWhenTheCertificateIsNotTrusted(string $certificate, bool $withAuthority): void
    {
        $this->start($certificate);
        $options = $withAuthority ? ['ca_file' => $this->sandbox->caFile()] : [];

        $e = $this->failure(fn () => $this->send($this->client($options + ['max_attempts' => 1])));

        self::assertSame(TlsFailedException::class, get_class($e));
        self::assertSame(Status::TLS_FAILED, $e->getStatus());
        self::assertSame([], $this->sandbox->received());
    }
}
