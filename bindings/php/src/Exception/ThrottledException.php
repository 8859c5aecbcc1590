<?php

declare(strict_types=1);

namespace Esales\Notify\Exception;

/**
 * The service asks to come back later: 429 or 425 (-21).
 */
final class ThrottledException extends RetryableException
{
}
