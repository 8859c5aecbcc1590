<?php

declare(strict_types=1);

namespace Esales\Notify\Exception;

/**
 * The service found no ticket: 400 (-10).
 */
final class TicketMissingException extends FinalException
{
}
