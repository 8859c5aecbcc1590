<?php

declare(strict_types=1);

namespace Esales\Notify\Internal;

use Esales\Notify\Exception\InvalidArgumentException;
use Esales\Notify\Exception\NotifyException;
use Esales\Notify\Notification;
use Esales\Notify\Receipt;
use Esales\Notify\Stats;
use Esales\Notify\Status;
use Esales\Notify\Visitor;
use FFI;
use FFI\CData;
use FFI\CType;

/**
 * Calls the C functions: one method for each, which only converts values.
 *
 * With ffi.enable=preload in a web server, only code in preloaded functions may use FFI. Therefore methods of this
 * class, of Records and of Loader call it, and never a closure.
 *
 * @internal
 */
final class Library
{
    /** The levels of the C API, by the names of PSR-3, which has more levels. */
    private const LEVELS = [
        'emergency' => 1,
        'alert' => 1,
        'critical' => 1,
        'error' => 1,
        'warning' => 2,
        'notice' => 2,
        'info' => 3,
        'debug' => 4,
    ];

    /** The PSR-3 names of the C API's levels. */
    private const LEVEL_NAMES = [1 => 'error', 2 => 'warning', 3 => 'info', 4 => 'debug'];

    /** Greatest number of messages that one call passes on: the number that the library keeps. */
    private const MAX_MESSAGES = 256;

    /** How long the end of a program waits for requests in flight, in milliseconds. */
    private const STOP_TIMEOUT_MS = 2000;

    /** Shared by all objects: code that loads the same library in two ways has two objects of this class. */
    private static ?object $logger = null;

    /** Whether the logger is running. The logger may call a client. */
    private static bool $isLogging = false;

    private FFI $ffi;

    /** The types that every call needs. PHP would parse their names each time, which makes calls a quarter slower. */
    private CType $charType;

    private CType $pointerType;

    private CType $visitorType;

    private CType $receiptType;

    public function __construct(FFI $ffi)
    {
        $this->ffi = $ffi;
        $this->charType = $ffi->type('char');
        $this->pointerType = $ffi->type('char *');
        $this->visitorType = $ffi->type('esales_visitor');
        $this->receiptType = $ffi->type('esales_receipt');
        // Only if the process ends with the script: a worker of a web server delivers between its pages. The function
        // is not called by its name, because PHP must work if it is disabled.
        $register = 'register_shutdown_function';
        if (in_array(PHP_SAPI, ['cli', 'phpdbg'], true) && is_callable($register)) {
            // Registered again at the end, so that the program's own functions run before.
            $register(function () use ($register): void {
                $register(function (): void {
                    $this->ffi->esales_stop_delivery(self::STOP_TIMEOUT_MS);
                });
            });
        }
    }

    public function version(): string
    {
        return $this->ffi->esales_version();
    }

    public function statusName(int $status): string
    {
        return $this->ffi->esales_status_name($status);
    }

    public function statusText(int $status): string
    {
        return $this->ffi->esales_status_text($status);
    }

    /**
     * @param array<string, string> $options from Text::options()
     *
     * @return CData a handle for freeClient()
     *
     * @throws NotifyException
     */
    public function newClient(
        #[\SensitiveParameter]
        array $options
    ): CData {
        $client = $this->ffi->new('esales_client *');
        if ($options === []) {
            $this->check($this->ffi->esales_client_new(null, FFI::addr($client)));

            return $client;
        }
        $config = $this->ffi->new('esales_config *');
        $this->check($this->ffi->esales_config_new(FFI::addr($config)));
        try {
            foreach ($options as $name => $value) {
                $this->check($this->ffi->esales_config_set($config, $name, $value));
            }
            $this->check($this->ffi->esales_client_new($config, FFI::addr($client)));
        } finally {
            $this->ffi->esales_config_free($config);
        }

        return $client;
    }

    public function freeClient(CData $client): void
    {
        $this->ffi->esales_client_free($client);
        $this->passMessagesOn();
    }

    /**
     * @param string $function esales_notify or esales_enqueue
     *
     * @throws NotifyException
     */
    public function send(string $function, CData $client, Visitor $visitor, Notification $notification): Receipt
    {
        $rows = [];
        foreach ($notification->getLines() as $line) {
            $rows[] = [
                'quantity' => $line->getQuantity(),
                'product_key' => $line->getProductKey(),
                'variant_key' => $line->getVariantKey(),
                'selling_price' => $line->getSellingPrice(),
                'cost' => $line->getCost(),
            ];
        }
        // These variables keep the structs, and the memory that they point to, alive during the call.
        $lines = $rows === [] ? null : $this->structs('esales_line', $rows);
        $what = $this->structs('esales_notification', [[
            // members: generated by `make generate`, do not edit
            'kind' => $notification->getKind(),
            'id' => $notification->getId(),
            'ticket' => $notification->getTicket(),
            'product_key' => $notification->getProductKey(),
            'variant_key' => $notification->getVariantKey(),
            'line_count' => count($rows),
            'private_key' => $notification->getPrivateKey(),
            // end of members
        ]]);
        if ($lines !== null) {
            $what[0][0]->lines = $this->ffi->cast('esales_line *', $lines[0]);
        }

        return $this->call($function, $client, $visitor, FFI::addr($what[0][0]), null);
    }

    /**
     * @param string $function esales_notify_add_to_cart or esales_enqueue_add_to_cart
     *
     * @throws NotifyException
     */
    public function addToCart(
        string $function,
        CData $client,
        Visitor $visitor,
        #[\SensitiveParameter]
        string $ticket,
        ?string $id
    ): Receipt {
        Text::withoutNul('ticket', $ticket);
        if ($id !== null) {
            Text::withoutNul('id', $id);
        }

        return $this->call($function, $client, $visitor, $ticket, $id);
    }

    /**
     * @return bool false: the time was not enough
     *
     * @throws NotifyException
     */
    public function flush(CData $client, int $timeoutMs): bool
    {
        Text::uint32('timeout_ms', $timeoutMs);

        return $this->check($this->ffi->esales_client_flush($client, $timeoutMs, null), Status::TIMEOUT);
    }

    /**
     * @return bool false: the time was not enough
     *
     * @throws NotifyException
     */
    public function stopDelivery(CData $client, int $timeoutMs): bool
    {
        Text::uint32('timeout_ms', $timeoutMs);
        $isDone = $this->check($this->ffi->esales_client_stop_delivery($client, $timeoutMs), Status::TIMEOUT);
        $this->passMessagesOn();

        return $isDone;
    }

    /**
     * @throws NotifyException
     */
    public function stats(CData $client): Stats
    {
        $stats = $this->ffi->new('esales_stats');
        $stats->struct_size = FFI::sizeof($stats);
        $this->check($this->ffi->esales_client_stats($client, FFI::addr($stats)));

        return Records::stats($stats);
    }

    /**
     * @return Receipt|null null: the id is unknown
     *
     * @throws NotifyException
     */
    public function receipt(CData $client, string $id): ?Receipt
    {
        Text::withoutNul('id', $id);
        $receipt = $this->newReceipt();
        $isKnown = $this->check(
            $this->ffi->esales_client_receipt($client, $id, FFI::addr($receipt)),
            Status::UNKNOWN_ID
        );

        return $isKnown ? $this->receiptOf($receipt->status, $receipt) : null;
    }

    /**
     * @param object|null $logger an object with the method log() of PSR-3; null: no logging
     * @param string      $level  a level of PSR-3
     *
     * @throws InvalidArgumentException
     * @throws NotifyException
     */
    public function logTo(?object $logger, string $level): void
    {
        if ($logger !== null && !is_callable([$logger, 'log'])) {
            throw Text::refusal('logger has no method log(): ' . get_class($logger));
        }
        if (!isset(self::LEVELS[$level])) {
            throw Text::refusal('level must be one of ' . implode(', ', array_keys(self::LEVELS)));
        }
        $this->passMessagesOn();
        self::$logger = $logger;
        // Without a callback, the library keeps its messages. 0 is ESALES_LOG_OFF.
        $this->check($this->ffi->esales_log_to(null, null, $logger === null ? 0 : self::LEVELS[$level]));
    }

    /**
     * Calls a C function that sends one notification.
     *
     * @param CData|string $what a notification, or the ticket for a function that also takes the id
     *
     * @throws NotifyException
     */
    private function call(
        string $function,
        CData $client,
        Visitor $visitor,
        #[\SensitiveParameter]
        $what,
        ?string $id
    ): Receipt {
        $texts = '';
        $offsets = [];
        $values = [
            'market' => $visitor->getMarket(),
            'customer_key' => $visitor->getCustomerKey(),
            'session_key' => $visitor->getSessionKey(),
            'token' => $visitor->getToken(),
        ];
        foreach ($values as $name => $text) {
            if ($text !== null) {
                $offsets[$name] = strlen($texts);
                $texts .= $text . "\0";
            }
        }
        // A char * in a struct does not keep its buffer alive, so a variable of this function does.
        $buffer = $this->ffi->new(FFI::arrayType($this->charType, [strlen($texts)]));
        FFI::memcpy($buffer, $texts, strlen($texts));
        // PHP does not assign memory that it owns to a struct, but a pointer to it.
        $start = $this->ffi->cast($this->pointerType, $buffer);
        $who = $this->ffi->new($this->visitorType);
        $who->struct_size = FFI::sizeof($who);
        foreach ($offsets as $name => $offset) {
            $who->$name = $start + $offset;
        }

        $receipt = $this->newReceipt();
        $status = $what instanceof CData
            ? $this->ffi->$function($client, FFI::addr($who), $what, FFI::addr($receipt))
            : $this->ffi->$function($client, FFI::addr($who), $what, $id, FFI::addr($receipt));
        $result = $this->receiptOf($status, $receipt);
        $this->passMessagesOn();
        if ($status < 0) {
            throw Failure::exception($status, $result->getStatusName(), $result->getDetail(), $result);
        }

        return $result;
    }

    /**
     * Makes an array of structs that begin with struct_size.
     *
     * @param list<array<string, int|string|null>> $rows the members of each struct, by name; null: NULL
     *
     * @return array{CData, CData} the array and the memory of its strings; the caller keeps both during the call
     */
    private function structs(
        string $type,
        #[\SensitiveParameter]
        array $rows
    ): array {
        // At least one element, because C has no empty arrays.
        $texts = "\0";
        $offsets = [];
        foreach ($rows as $number => $row) {
            foreach ($row as $name => $value) {
                if (is_string($value)) {
                    $offsets[$number][$name] = strlen($texts);
                    $texts .= $value . "\0";
                }
            }
        }
        $strings = $this->ffi->new(FFI::arrayType($this->charType, [strlen($texts)]));
        FFI::memcpy($strings, $texts, strlen($texts));
        $start = $this->ffi->cast($this->pointerType, $strings);
        $structType = $this->ffi->type($type);
        $structs = $this->ffi->new(FFI::arrayType($structType, [count($rows)]));
        foreach ($rows as $number => $row) {
            $struct = $structs[$number];
            $struct->struct_size = FFI::sizeof($structType);
            foreach ($row as $name => $value) {
                if ($value !== null) {
                    $struct->$name = is_int($value) ? $value : $start + $offsets[$number][$name];
                }
            }
        }

        return [$structs, $strings];
    }

    private function newReceipt(): CData
    {
        $receipt = $this->ffi->new($this->receiptType);
        $receipt->struct_size = FFI::sizeof($receipt);

        return $receipt;
    }

    private function receiptOf(int $status, CData $receipt): Receipt
    {
        return Records::receipt($receipt, $status, $this->statusName($status));
    }

    /**
     * @param int|null $expected a code below 0 that is not an error here
     *
     * @return bool false: the status is the expected code
     *
     * @throws NotifyException if the code is an error
     */
    private function check(int $status, ?int $expected = null): bool
    {
        $failure = $status < 0 && $status !== $expected
            ? Failure::exception($status, $this->statusName($status), $this->ffi->esales_last_error(), null)
            : null;
        // After reading the last error, because the logger may call the library.
        $this->passMessagesOn();
        if ($failure !== null) {
            throw $failure;
        }

        return $status >= 0;
    }

    /**
     * Passes the messages since the last call to the logger.
     */
    private function passMessagesOn(): void
    {
        if (self::$logger === null || self::$isLogging) {
            return;
        }
        self::$isLogging = true;
        try {
            $level = $this->ffi->new('int32_t');
            $message = $this->ffi->new('char[512]');
            for ($i = 0; $i < self::MAX_MESSAGES; $i++) {
                if ($this->ffi->esales_log_next(0, FFI::addr($level), $message) !== 1) {
                    return;
                }
                self::$logger->log(self::LEVEL_NAMES[$level->cdata] ?? 'error', FFI::string($message));
            }
        } catch (\Throwable $e) {
            // Dropped, as Log::to() documents: a failing logger must not change the result of a call.
        } finally {
            self::$isLogging = false;
        }
    }
}
