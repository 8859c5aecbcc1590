<?php

declare(strict_types=1);

namespace Esales\Notify\Tests;

use Esales\Notify\Client;
use Esales\Notify\Exception\BadResponseException;
use Esales\Notify\Exception\ConnectFailedException;
use Esales\Notify\Exception\ConnectionLostException;
use Esales\Notify\Exception\FinalException;
use Esales\Notify\Exception\ForbiddenException;
use Esales\Notify\Exception\RejectedException;
use Esales\Notify\Exception\RetryableException;
use Esales\Notify\Exception\ServerErrorException;
use Esales\Notify\Exception\ThrottledException;
use Esales\Notify\Exception\BadRequestException;
use Esales\Notify\Exception\TimeoutException;
use Esales\Notify\Identity;
use Esales\Notify\Status;
use Esales\Notify\Tests\Support\SandboxTestCase;
use Esales\Notify\Visitor;

/**
 * The possible outcomes of a notification, as the caller gets them.
 */
final class OutcomesTest extends SandboxTestCase
{
    private const UUID = '/^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/D';

    public function testNotifyReturnsADeliveredReceipt(): void
    {
        $before = hrtime(true);
        $receipt = $this->send($this->client());
        $took = intdiv(hrtime(true) - $before, 1000);

        self::assertSame(Status::DELIVERED, $receipt->getStatus());
        self::assertSame('ESALES_DELIVERED', $receipt->getStatusName());
        self::assertSame(204, $receipt->getHttpStatus());
        self::assertSame(1, $receipt->getAttempts());
        self::assertGreaterThan(0, $receipt->getElapsedMicroseconds());
        self::assertLessThanOrEqual($took, $receipt->getElapsedMicroseconds());
        self::assertMatchesRegularExpression(self::UUID, $receipt->getId());
        self::assertNotSame('', $receipt->getDetail());
        self::assertSame($receipt->getId(), $this->sandbox->received()[0]['notification']['id']);
    }

    public function testIdOfTheCallerIsSent(): void
    {
        $receipt = $this->client()->notifyAddToCart($this->visitor(), 'ticket', 'order 7, row 2');

        self::assertSame('order 7, row 2', $receipt->getId());
        self::assertSame('order 7, row 2', $this->sandbox->received()[0]['notification']['id']);
    }

    public function testMarketOptionAppliesToVisitorsWithoutAMarket(): void
    {
        $client = $this->client(['market' => 'Sweden']);
        $client->notifyAddToCart(Visitor::anonymous(self::CUSTOMER_KEY, self::SESSION_KEY), 'ticket');
        $client->notifyAddToCart($this->visitor(), 'ticket');

        $sent = array_column($this->sandbox->received(), 'notification');
        self::assertSame(['Sweden', 'UK'], array_column($sent, 'market'));
    }

    /**
     * @return array<string, array{string, int, string, int|null}>
     */
    public static function answers(): array
    {
        return [
            'ticket missing' => ['400', Status::BAD_REQUEST, BadRequestException::class, 400],
            'forbidden' => ['403', Status::FORBIDDEN, ForbiddenException::class, 403],
            'not found' => ['404', Status::REJECTED, RejectedException::class, 404],
            'a redirect' => ['302', Status::REJECTED, RejectedException::class, 302],
            'server error' => ['500', Status::SERVER_ERROR, ServerErrorException::class, 500],
            'unavailable' => ['503', Status::SERVER_ERROR, ServerErrorException::class, 503],
            'throttled' => ['429', Status::THROTTLED, ThrottledException::class, 429],
            'request timeout' => ['408', Status::TIMEOUT, TimeoutException::class, 408],
            'closed' => ['close', Status::CONNECTION_LOST, ConnectionLostException::class, null],
            'reset' => ['reset', Status::CONNECTION_LOST, ConnectionLostException::class, null],
            'not HTTP' => ['garbage', Status::BAD_RESPONSE, BadResponseException::class, null],
        ];
    }

    /**
     * @dataProvider answers
     *
     * @param class-string<\Throwable> $class
     */
    public function testAnswerRaisesItsException(
        string $answer,
        int $status,
        string $class,
        ?int $httpStatus
    ): void {
        $this->sandbox->script($answer);
        $client = $this->client(['max_attempts' => 1]);

        $e = $this->failure(fn () => $client->notifyAddToCart($this->visitor(), 'ticket', 'an id'));

        self::assertSame($class, get_class($e));
        self::assertSame($status, $e->getStatus());
        self::assertSame($status, $e->getCode());
        self::assertSame(Status::name($status), $e->getStatusName());
        self::assertNotSame('', $e->getMessage());
        self::assertSame($status <= -20, $e instanceof RetryableException);
        self::assertSame($status > -20, $e instanceof FinalException);
        $receipt = $e->getReceipt();
        self::assertNotNull($receipt);
        self::assertSame($status, $receipt->getStatus());
        self::assertSame($httpStatus, $receipt->getHttpStatus());
        self::assertSame(1, $receipt->getAttempts());
        self::assertSame('an id', $receipt->getId());
        self::assertSame($e->getMessage(), $receipt->getDetail());
    }

    public function testTimeoutExceptionIsRaisedWhenTheServiceHangs(): void
    {
        $this->sandbox->script('hang');
        $client = $this->client(['timeout_ms' => 300]);
        $before = hrtime(true);

        $e = $this->failure(fn () => $this->send($client));

        self::assertSame(TimeoutException::class, get_class($e));
        self::assertSame(Status::TIMEOUT, $e->getStatus());
        // The margin is for a busy machine.
        self::assertLessThan((300 + 5000) * 1e6, hrtime(true) - $before);
        self::assertNull($e->getReceipt()->getHttpStatus());
    }

    public function testConnectExceptionIsRaisedWhenTheConnectionIsRefused(): void
    {
        $e = $this->failure(fn () => $this->send($this->client(['base_url' => $this->nobody()])));

        self::assertSame(ConnectFailedException::class, get_class($e));
        self::assertSame(Status::CONNECT_FAILED, $e->getStatus());
    }

    public function testRetriesSendTheSameBytes(): void
    {
        $this->sandbox->script('503, 503, 204');

        $receipt = $this->send($this->client(['backoff_ms' => 0]));

        self::assertSame(Status::DELIVERED, $receipt->getStatus());
        self::assertSame(3, $receipt->getAttempts());
        $received = $this->sandbox->received();
        self::assertCount(3, $received);
        self::assertCount(1, array_unique(array_column($received, 'body')));
        self::assertSame(
            array_fill(0, 3, $receipt->getId()),
            array_column(array_column($received, 'notification'), 'id')
        );
    }

    public function testFailedNotificationIsSentAgainWithItsId(): void
    {
        $this->sandbox->script('503');
        $client = $this->client(['max_attempts' => 1]);
        $e = $this->failure(fn () => $this->send($client));

        $client->notifyAddToCart($this->visitor(), 'ticket', $e->getReceipt()->getId());

        $received = $this->sandbox->received();
        self::assertSame($received[0]['body'], $received[1]['body']);
    }

    public function testValidTokenIsAccepted(): void
    {
        $key = Identity::customerKey('customer 1');
        $token = Identity::customerToken(self::PRIVATE_KEY, $key);

        $receipt = $this->client()->notifyAddToCart(
            Visitor::signedIn($key, self::SESSION_KEY, $token, 'UK'),
            'ticket'
        );

        self::assertSame(204, $receipt->getHttpStatus());
        self::assertTrue($this->sandbox->received()[0]['token_valid']);
    }

    public function testTokenOfAnotherKeyIsForbidden(): void
    {
        $key = Identity::customerKey('customer 1');
        $visitor = Visitor::signedIn($key, self::SESSION_KEY, Identity::customerToken('another', $key), 'UK');

        $e = $this->failure(fn () => $this->client()->notifyAddToCart($visitor, 'ticket'));

        self::assertSame(ForbiddenException::class, get_class($e));
        self::assertSame(403, $e->getReceipt()->getHttpStatus());
        self::assertFalse($this->sandbox->received()[0]['token_valid']);
    }

    public function testNewKeysAreDistinctUuids(): void
    {
        $keys = [];
        for ($i = 0; $i < 100; $i++) {
            $key = Identity::newKey();
            self::assertMatchesRegularExpression(self::UUID, $key);
            $keys[$key] = true;
        }
        self::assertCount(100, $keys);
    }

    public function testClientReadsTheEnvironmentWhenItHasNoOptions(): void
    {
        putenv('ESALES_BASE_URL=' . $this->sandbox->baseUrl());
        try {
            $this->send(new Client());
            // Null counts as not set.
            $this->send(new Client(['market' => null]));
            // With any option, the environment is not read.
            $e = $this->failure(fn () => new Client(['market' => 'UK']));
        } finally {
            putenv('ESALES_BASE_URL');
        }
        self::assertCount(2, $this->sandbox->received());
        self::assertSame(Status::INVALID_CONFIG, $e->getStatus());
    }
}
