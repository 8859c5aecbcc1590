<?php

/**
 * A page of a shop without FFI: one click through the agent that ESALES_AGENT names, and the id.
 */

declare(strict_types=1);

namespace Esales\Notify\Tests\Programs;

use Esales\Notify\Client;
use Esales\Notify\Notification;
use Esales\Notify\Visitor;

require_once __DIR__ . '/../../preload.php';

$visitor = Visitor::anonymous('d9528030-509c-4e0f-b585-7168f1e9feca', 'b106299c-eac0-4f6f-96d2-93e57c255784', 'UK');
echo (new Client())->enqueue($visitor, Notification::click('a ticket'))->getId();
