<?php

declare(strict_types=1);

namespace Esales\Notify\Internal;

use Esales\Notify\Exception\InvalidConfigException;
use Esales\Notify\Exception\NotifyException;
use Esales\Notify\Notification;
use Esales\Notify\Receipt;
use Esales\Notify\Stats;
use Esales\Notify\Status;
use Esales\Notify\Visitor;

/**
 * A client of an agent (`esales-notify drain --listen`), for a PHP without FFI. It does not need the shared library.
 *
 * The agent checks the arguments and returns the library's messages.
 *
 * @internal
 */
final class AgentClient implements Backend
{
    /** The option with the agent's address. */
    public const OPTION = 'agent';

    /** The environment variables of the options that this client has; see Client. */
    private const VARIABLES = [
        self::OPTION => 'ESALES_AGENT',
        'market' => 'ESALES_MARKET',
        'enqueue_timeout_ms' => 'ESALES_ENQUEUE_TIMEOUT_MS',
    ];

    /** The default and the maximum of enqueue_timeout_ms, as in the library. */
    private const DEFAULT_TIMEOUT_MS = '1000';

    private const MAX_TIMEOUT_MS = 60000;

    /** Additional time for the agent, in milliseconds. */
    private const MARGIN_MS = 100;

    private AgentConnection $agent;

    private ?string $market;

    /**
     * @param array<string, string> $options
     */
    private function __construct(
        #[\SensitiveParameter]
        array $options
    ) {
        Functions::requireForAgent();
        foreach ($options as $name => $value) {
            if (!isset(self::VARIABLES[$name])) {
                throw self::config(
                    'the option ' . $name . ' is the agent\'s, not this client\'s: set it where the agent is started,'
                    . ' and leave it out here; beside agent, market and enqueue_timeout_ms are allowed'
                );
            }
        }
        $timeout = $options['enqueue_timeout_ms'] ?? self::DEFAULT_TIMEOUT_MS;
        $isNumber = preg_match('/^\d{1,5}$/D', $timeout) === 1;
        if (!$isNumber || (int) $timeout < 1 || (int) $timeout > self::MAX_TIMEOUT_MS) {
            throw self::config('enqueue_timeout_ms must be a whole number from 1 to ' . self::MAX_TIMEOUT_MS);
        }
        $this->agent = new AgentConnection($options[self::OPTION], (int) $timeout + self::MARGIN_MS);
        $this->market = $options['market'] ?? null;
    }

    /**
     * A client of the agent in the options, or in the environment if there are no options; null: no agent is named.
     *
     * @param array<string, string> $options from Text::options()
     *
     * @throws InvalidConfigException
     */
    public static function named(
        #[\SensitiveParameter]
        array $options
    ): ?self {
        if ($options === []) {
            foreach (self::VARIABLES as $name => $variable) {
                $value = (string) getenv($variable, true);
                if ($value !== '') {
                    $options[$name] = $value;
                }
            }
        }

        return isset($options[self::OPTION]) ? new self($options) : null;
    }

    /**
     * @throws InvalidConfigException always
     */
    public function notify(Visitor $visitor, Notification $notification): Receipt
    {
        throw self::cannot('wait for the service\'s answer: call enqueue(), and receipt() later');
    }

    /**
     * @throws InvalidConfigException always
     */
    public function notifyAddToCart(
        Visitor $visitor,
        #[\SensitiveParameter]
        string $ticket,
        ?string $id
    ): Receipt {
        throw self::cannot('wait for the service\'s answer: call enqueueAddToCart(), and receipt() later');
    }

    public function enqueue(Visitor $visitor, Notification $notification): Receipt
    {
        $start = hrtime(true);
        $id = $notification->getId();
        try {
            $request = Wording::request($visitor, $notification, $this->market);
            $id = $request['id'];
            // A repeated payment would count twice, so a payment uses a new connection and is never sent again.
            $answer = $this->agent->exchange(
                'POST',
                $request['path'],
                "Content-Type: application/json\r\n"
                . ($request['header'] ? 'Notification-Id: ' . $id . "\r\n" : ''),
                $request['body'],
                !$request['counts'],
                '; the notification was not accepted',
                '; the notification may yet be accepted'
            );
            $reply = self::decode($answer['body']);
            if ($answer['status'] === 202 && is_string($reply['id'] ?? null)) {
                return self::receiptOf(Status::QUEUED, 'ESALES_QUEUED', $reply['id'], 'queued', $start);
            }
            throw $this->refusal($answer['status'], $reply, '; the notification was not accepted');
        } catch (NotifyException $e) {
            $receipt = self::receiptOf($e->getStatus(), $e->getStatusName(), (string) $id, $e->getMessage(), $start);
            throw Failure::exception($e->getStatus(), $e->getStatusName(), $e->getMessage(), $receipt);
        }
    }

    public function enqueueAddToCart(
        Visitor $visitor,
        #[\SensitiveParameter]
        string $ticket,
        ?string $id
    ): Receipt {
        return $this->enqueue($visitor, Notification::addToCart($ticket, $id));
    }

    /**
     * @throws InvalidConfigException always
     */
    public function flush(int $timeoutMs): bool
    {
        throw self::cannot('flush: the agent delivers without this process; ask receipt() for one notification');
    }

    /**
     * Does nothing, because this process delivers nothing.
     */
    public function stopDelivery(int $timeoutMs): bool
    {
        Text::uint32('timeout_ms', $timeoutMs);

        return true;
    }

    /**
     * @throws InvalidConfigException always
     */
    public function stats(): Stats
    {
        throw self::cannot('return statistics: read /metrics of the agent, or run esales-notify queue status');
    }

    public function receipt(string $id): ?Receipt
    {
        Text::withoutNul('id', $id);
        if ($id === '') {
            return null;
        }
        $answer = $this->agent->exchange('GET', '/receipts/' . rawurlencode($id), '', null, true, '', '');
        $reply = self::decode($answer['body']);
        $name = $reply['status'] ?? null;
        if ($answer['status'] === 404 && $name === 'ESALES_UNKNOWN_ID') {
            return null;
        }
        if ($answer['status'] !== 200 || !is_string($name)) {
            throw $this->refusal($answer['status'], $reply, '');
        }

        return new Receipt(
            self::code($name),
            $name,
            $reply['http_status'] ?? null,
            $reply['attempts'] ?? 0,
            $reply['elapsed_us'] ?? 0,
            $reply['id'] ?? $id,
            $reply['detail'] ?? ''
        );
    }

    public function close(): void
    {
        // The connection stays open for other clients, as in the library.
    }

    /**
     * The exception for a refusal of the agent.
     *
     * @param array<string, mixed> $reply
     */
    private function refusal(int $httpStatus, array $reply, string $consequence): NotifyException
    {
        $message = is_string($reply['message'] ?? null) ? $reply['message'] : '';
        $name = $reply['status'] ?? null;
        if (is_string($name)) {
            return Failure::exception(self::code($name), $name, $message, null);
        }
        if ($httpStatus === 413) {
            return Failure::exception(Status::INVALID_ARGUMENT, 'ESALES_INVALID_ARGUMENT', $message, null);
        }

        return Failure::exception(
            Status::SPOOL_FAILED,
            'ESALES_SPOOL_FAILED',
            'the agent at ' . $this->agent->address() . ' answered ' . $httpStatus . ' ' . $message . $consequence,
            null
        );
    }

    /**
     * The code of a name such as ESALES_QUEUE_FULL. A name that only a later agent knows becomes INTERNAL.
     */
    private static function code(string $name): int
    {
        $constant = Status::class . '::' . substr($name, strlen('ESALES_'));

        return defined($constant) ? constant($constant) : Status::INTERNAL;
    }

    /**
     * @return array<string, mixed>
     */
    private static function decode(string $json): array
    {
        $reply = json_decode($json, true, 8);

        return is_array($reply) ? $reply : [];
    }

    private static function receiptOf(int $status, string $name, string $id, string $detail, int $start): Receipt
    {
        return new Receipt($status, $name, null, 0, intdiv(hrtime(true) - $start, 1000), $id, $detail);
    }

    private static function config(string $message): NotifyException
    {
        return new InvalidConfigException($message, Status::INVALID_CONFIG, 'ESALES_INVALID_CONFIG');
    }

    private static function cannot(string $what): NotifyException
    {
        return self::config('a client of an agent (option agent) cannot ' . $what);
    }
}
