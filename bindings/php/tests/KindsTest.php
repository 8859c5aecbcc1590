<?php

declare(strict_types=1);

namespace Esales\Notify\Tests;

use Esales\Notify\Client;
use Esales\Notify\Exception\ForbiddenException;
use Esales\Notify\Exception\InvalidArgumentException;
use Esales\Notify\Exception\MayHaveArrivedException;
use Esales\Notify\Kind;
use Esales\Notify\Line;
use Esales\Notify\Notification;
use Esales\Notify\Status;
use Esales\Notify\Tests\Support\Folder;
use Esales\Notify\Tests\Support\Package;
use Esales\Notify\Tests\Support\Process;
use Esales\Notify\Tests\Support\SandboxTestCase;
use Esales\Notify\Visitor;

/**
 * Notifications and lines as PHP values, prices, and a payment that may have arrived. VectorsTest has the bytes.
 */
final class KindsTest extends SandboxTestCase
{
    private const UUID = '/^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/D';

    private const FLUSH_MS = Process::LIMIT_S * 1000;

    private static function line(): Line
    {
        return new Line('P1', 'V1', 2, '199.50');
    }

    public function testPrivateKeySignsTheBytesThatAreSent(): void
    {
        $client = $this->client();
        $client->notify($this->visitor(), Notification::securePayment([self::line()], self::PRIVATE_KEY));
        $e = $this->failure(fn () => $client->notify(
            $this->visitor(),
            Notification::securePayment([self::line()], 'another key')
        ));

        self::assertInstanceOf(ForbiddenException::class, $e);
        self::assertSame([204, 403], array_column($this->sandbox->received(), 'status'));
    }

    public function testIdIsANewUuidWhenNoneIsGiven(): void
    {
        $receipt = $this->client()->notify($this->visitor(), Notification::click('t'));

        self::assertMatchesRegularExpression(self::UUID, $receipt->getId());
        self::assertSame($receipt->getId(), $this->sandbox->received()[0]['notification']['id']);
    }

    public function testNotificationReturnsItsFields(): void
    {
        $line = new Line('P', 'V', 3, 199, '80.10');
        self::assertSame(
            ['P', 'V', 3, '199', '80.10'],
            [
                $line->getProductKey(),
                $line->getVariantKey(),
                $line->getQuantity(),
                $line->getSellingPrice(),
                $line->getCost(),
            ]
        );
        self::assertNull((new Line('P', null, 1, '1'))->getCost());
        // Generators are accepted too; they can be read only once.
        $payment = Notification::securePayment((static fn () => yield $line)(), 'k', 'i');
        self::assertSame(
            [Kind::SECURE_PAYMENT, 'i', [$line], 'k', null],
            [
                $payment->getKind(),
                $payment->getId(),
                $payment->getLines(),
                $payment->getPrivateKey(),
                $payment->getTicket(),
            ]
        );
        $click = Notification::nonEsalesClick('P', 'V');
        self::assertSame(['P', 'V', []], [$click->getProductKey(), $click->getVariantKey(), $click->getLines()]);
    }

    public function testPriceIsSentWithEveryDigit(): void
    {
        $prices = ['199.50', '0.10', '0.0000000', '0', '12345678901234567890123456789.01', 199, 0, PHP_INT_MAX];
        $lines = array_map(static fn ($price): Line => new Line('P', null, 1, $price), $prices);

        $this->client()->notify($this->visitor(), Notification::payment($lines));

        preg_match_all('/"sellingPrice":([^,}]+)/', $this->sandbox->received()[0]['body'], $sent);
        self::assertSame(array_map('strval', $prices), $sent[1]);
    }

    public function testPricesAreSentWithAPointWhenTheLocaleHasAComma(): void
    {
        $folder = new Folder();
        [$code, $output, $errors] = (new Process(
            ['localedef', '-i', 'de_DE', '-f', 'UTF-8', $folder->path('de_DE.UTF-8')]
        ))->finish();
        self::assertSame(0, $code, $output . $errors);
        $program = new Process(
            [PHP_BINARY, __DIR__ . '/programs/locale.php'],
            [
                'ESALES_BASE_URL' => $this->sandbox->baseUrl(),
                'ESALES_TIMEOUT_MS' => (string) self::BUDGET_MS,
                'ESALES_NOTIFY_LIBRARY' => Package::library(),
                'LOCPATH' => $folder->path(),
            ]
        );

        self::assertSame([0, "de_DE.UTF-8 1.234,5 ESALES_DELIVERED\n", ''], $program->finish());

        self::assertStringEndsWith(
            '"lines":[{"productKey":"P","quantity":1234,"sellingPrice":1234.5,"cost":1.25},'
            . '{"productKey":"P","quantity":1,"sellingPrice":1234,"cost":1}]}',
            $this->sandbox->received()[0]['body']
        );
    }

    /**
     * @return array<string, array{mixed, string}>
     */
    public static function wrongPrices(): array
    {
        return [
            'a float' => [0.1, 'not a float: a float such as 0.1 is stored as a binary number'],
            'a whole float' => [199.0, 'not a float'],
            'NaN' => [NAN, 'not a float'],
            'a bool' => [true, 'not boolean'],
            'an array' => [['199.50'], 'not array'],
            'an object' => [new \SimpleXMLElement('<a>1</a>'), 'not SimpleXMLElement'],
            'a NUL byte' => ["1\0", 'contains a NUL byte'],
        ];
    }

    /**
     * @dataProvider wrongPrices
     *
     * @param mixed $price
     */
    public function testPriceOfAWrongTypeIsRefusedByName($price, string $message): void
    {
        $calls = [
            'selling_price' => static fn () => new Line('P', null, 1, $price),
            'cost' => static fn () => new Line('P', null, 1, '1', $price),
        ];
        foreach ($calls as $name => $call) {
            $e = $this->failure($call);
            self::assertInstanceOf(InvalidArgumentException::class, $e);
            self::assertSame(Status::INVALID_ARGUMENT, $e->getStatus());
            self::assertStringStartsWith($name . ' ', $e->getMessage());
            self::assertStringContainsString($message, $e->getMessage());
        }
        $this->expectException(InvalidArgumentException::class);
        $this->expectExceptionMessage('selling_price must be');
        new Line('P', null, 1, null);
    }

    /**
     * @return array<string, array{callable(): mixed, string}>
     */
    public static function wrongTypes(): array
    {
        $client = new Client(['base_url' => 'http://127.0.0.1:1']);
        $visitor = Visitor::anonymous('c', 's', 'UK');

        return [
            'notification' => [static fn () => $client->notify($visitor, 'click'), '$notification'],
            'no notification' => [static fn () => $client->enqueue($visitor, null), '$notification'],
            'visitor' => [static fn () => $client->notify(null, Notification::end()), '$visitor'],
            'ticket' => [static fn () => Notification::click(null), '$ticket'],
            'id' => [static fn () => Notification::end(7), '$id'],
            'product key' => [static fn () => Notification::nonEsalesClick(7), '$productKey'],
            'variant key' => [static fn () => Notification::nonEsalesAddToCart('P', 7), '$variantKey'],
            'lines' => [static fn () => Notification::payment(self::line()), '$lines'],
            'no lines' => [static fn () => Notification::payment(null), '$lines'],
            'private key' => [static fn () => Notification::securePayment([self::line()], null), '$privateKey'],
            'quantity' => [static fn () => new Line('P', null, '1', '1'), '$quantity'],
            'product key of a line' => [static fn () => new Line(7, null, 1, '1'), '$productKey'],
        ];
    }

    /**
     * @dataProvider wrongTypes
     */
    public function testNotificationArgumentOfAnotherTypeRaisesATypeError(callable $call, string $name): void
    {
        $this->expectException(\TypeError::class);
        $this->expectExceptionMessage($name);
        $call();
    }

    public function testValueThatIsNotALineIsRefusedByItsNumber(): void
    {
        foreach ([7 => 'integer', 'stdClass' => 'stdClass'] as $line => $type) {
            $lines = [self::line(), $line === 7 ? 7 : new \stdClass()];
            $e = $this->failure(static fn () => Notification::payment($lines));
            self::assertInstanceOf(InvalidArgumentException::class, $e);
            self::assertSame('lines[1] must be a Esales\Notify\Line, not ' . $type, $e->getMessage());
        }
    }

    public function testQuantityOutOfRangeIsRefusedWithTheLibrarysMessage(): void
    {
        $client = $this->client();
        foreach ([0, 2 ** 31, 2 ** 32 - 1, -1, 2 ** 32, 2 ** 32 + 1, PHP_INT_MIN, PHP_INT_MAX] as $quantity) {
            $e = $this->failure(fn () => $client->notify(
                $this->visitor(),
                Notification::payment([new Line('P', null, $quantity, '1')])
            ));
            self::assertInstanceOf(InvalidArgumentException::class, $e);
            self::assertStringEndsWith("quantity is $quantity; it must be 1 to 2147483647", $e->getMessage());
        }
        $client->notify($this->visitor(), Notification::payment([new Line('P', null, 2 ** 31 - 1, '1')]));
        self::assertStringContainsString('"quantity":2147483647,', $this->sandbox->received()[0]['body']);
    }

    public function testTenThousandLinesArriveAndOneMoreIsRefused(): void
    {
        $lines = [];
        $expected = [];
        for ($i = 0; $i < 10000; $i++) {
            $lines[] = new Line("P$i", "V$i", $i + 1, "$i.50");
            $expected[] = "{\"productKey\":\"P$i\",\"variantKey\":\"V$i\",\"quantity\":" . ($i + 1)
                . ",\"sellingPrice\":$i.50}";
        }
        $client = $this->client();

        $client->notify($this->visitor(), Notification::payment($lines));
        $lines[] = self::line();
        $e = $this->failure(fn () => $client->notify($this->visitor(), Notification::payment($lines)));

        self::assertInstanceOf(InvalidArgumentException::class, $e);
        self::assertStringContainsString('line', $e->getMessage());
        $received = $this->sandbox->received();
        self::assertCount(1, $received);
        self::assertStringEndsWith(',"lines":[' . implode(',', $expected) . ']}', $received[0]['body']);
    }

    public function testMemoryStaysFlatOverManyPayments(): void
    {
        $client = $this->client();
        $use = function () use ($client): void {
            for ($i = 0; $i < 200; $i++) {
                $lines = [new Line(str_repeat('P', 250), str_repeat('V', 250), 1, '1')];
                $client->notify($this->visitor(), Notification::securePayment($lines, self::PRIVATE_KEY));
            }
        };
        $use();
        $before = memory_get_usage();
        $use();
        // A leak of the strings' buffer would be 500 bytes for each payment.
        self::assertLessThan(8000, memory_get_usage() - $before);
    }

    /**
     * @return array<string, array{string}> answers after which the service may have processed the payment
     */
    public static function ambiguous(): array
    {
        return ['a broken connection' => ['close'], 'no HTTP' => ['garbage'], 'a 500' => ['500']];
    }

    /**
     * @dataProvider ambiguous
     */
    public function testNotifiedPaymentIsSentOnceWhenItMayHaveArrived(string $answer): void
    {
        $client = $this->client(['max_attempts' => 3, 'backoff_ms' => 0]);
        $this->sandbox->script($answer);

        $e = $this->failure(fn () => $client->notify($this->visitor(), Notification::payment([self::line()])));

        self::assertInstanceOf(MayHaveArrivedException::class, $e);
        self::assertStringStartsWith('may have arrived', $e->getMessage());
        self::assertSame(1, $e->getReceipt()->getAttempts());
        self::assertCount(1, $this->sandbox->received());
    }

    /**
     * @dataProvider ambiguous
     */
    public function testQueuedPaymentBecomesADeadLetterWhenItMayHaveArrived(string $answer): void
    {
        $folder = new Folder();
        $client = $this->client(['spool' => $folder->path('spool'), 'gate_min_ms' => 10, 'gate_max_ms' => 10]);
        $this->sandbox->script($answer);

        $id = $client->enqueue($this->visitor(), Notification::payment([self::line()]))->getId();
        self::assertTrue($client->flush(self::FLUSH_MS));

        self::assertSame(Status::MAY_HAVE_ARRIVED, $client->receipt($id)->getStatus());
        self::assertSame(1, $client->stats()->getSpool()->getDead());
        self::assertSame(0, $client->stats()->getSpool()->getPending());
        // The next work of the queue does not send it again.
        $client->enqueue($this->visitor(), Notification::click('t'));
        self::assertTrue($client->flush(self::FLUSH_MS));
        self::assertSame(
            ['/api/v1/notifications/payment', '/api/v1/notifications/click'],
            array_column($this->sandbox->received(), 'path')
        );
        self::assertTrue($client->stopDelivery(self::FLUSH_MS));
    }

    public function testPaymentIsSentAgainWhenTheServiceDidNotProcessIt(): void
    {
        $client = $this->client(['max_attempts' => 3, 'backoff_ms' => 0]);
        foreach (['503', '429'] as $answer) {
            $this->sandbox->script($answer);
            $payment = Notification::securePayment([self::line()], self::PRIVATE_KEY);
            self::assertSame(2, $client->notify($this->visitor(), $payment)->getAttempts());
        }
        $bodies = array_column($this->sandbox->received(), 'body');
        self::assertCount(4, $bodies);
        self::assertCount(1, array_unique($bodies));
    }

    public function testSecretsStayOutOfDumps(): void
    {
        $secrets = [
            Notification::addToCart('a secret'),
            Notification::click('a secret'),
            Notification::securePayment([self::line()], 'a secret'),
        ];
        foreach ($secrets as $notification) {
            ob_start();
            var_dump($notification);
            $dump = ob_get_clean() . print_r($notification, true);
            self::assertStringContainsString('(hidden)', $dump);
            self::assertStringNotContainsString('secret', $dump);
        }
        // A visitor without a token is still distinguished from one with a token.
        self::assertStringNotContainsString('(hidden)', print_r(Notification::end(), true));
    }

    /**
     * @requires PHP >= 8.2
     */
    public function testSecretsStayOutOfTraces(): void
    {
        ini_set('zend.exception_ignore_args', '0');
        $secret = 'a secret';
        $client = $this->client(['max_attempts' => 1]);
        $this->sandbox->script('400');
        $calls = [
            static fn () => Notification::click("$secret\0"),
            static fn () => Notification::addToCart("$secret\0"),
            static fn () => Notification::securePayment([self::line()], "$secret\0"),
            fn () => $client->notify($this->visitor(), Notification::click($secret)),
            fn () => $client->notify($this->visitor(), Notification::securePayment([], $secret)),
            fn () => $client->enqueue($this->visitor(), Notification::click("$secret\n")),
        ];
        foreach ($calls as $i => $call) {
            $ours = array_filter(
                $this->failure($call)->getTrace(),
                static fn (array $frame): bool => strpos($frame['class'] ?? '', 'Esales\Notify\\') === 0
                    && strpos($frame['class'], __NAMESPACE__) === false
            );
            self::assertNotSame([], $ours);
            self::assertStringNotContainsString('secret', print_r($ours, true), "call $i");
        }
    }
}
