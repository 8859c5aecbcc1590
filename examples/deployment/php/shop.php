<?php

// /var/www/shop/public/shop.php

declare(strict_types=1);

require __DIR__ . '/../vendor/autoload.php';

use Esales\Notify\{Client, Identity, Line, Notification, Visitor};

/** The key in the visitor's cookie. On the first visit the page makes a key, and its response sets the cookie. */
function keyOf(string $cookie, int $expires): string
{
    $key = $_COOKIE[$cookie] ?? null;
    if (!is_string($key) || preg_match('/^[0-9a-f-]{36}$/D', $key) !== 1) {
        $key = Identity::newKey();
        $isSecure = ($_SERVER['HTTPS'] ?? 'off') !== 'off';
        setcookie($cookie, $key, ['expires' => $expires, 'path' => '/', 'secure' => $isSecure, 'httponly' => true,
            'samesite' => 'Lax']);
    }

    return $key;
}

/** Your shop knows who is signed in. Here the web server sets the header, and removes any that a visitor sends. */
function visitor(string $customer, string $session): Visitor
{
    $customerId = $_SERVER['HTTP_X_REMOTE_USER'] ?? '';
    if ($customerId === '') {
        return Visitor::anonymous($customer, $session);
    }
    $key = Identity::customerKey($customerId);

    return Visitor::signedIn($key, $session, Identity::customerToken((string) getenv('ESALES_PRIVATE_KEY'), $key));
}

/**
 * The lines of the order, from your database. Return them once: an order that is sent twice is counted twice.
 *
 * @return list<Line>
 */
function linesOf(string $order): array
{
    return [new Line('P_125383', 'P_125383-0014_UK', 1, '199.50', '80')];
}

/** Puts the event into the queue. Every failure is logged, even if FFI is off: no page fails because of an event. */
function tell(string $customer, string $session, callable $notification): void
{
    try {
        (new Client())->enqueue(visitor($customer, $session), $notification());
    } catch (Throwable $e) {
        error_log('esales-notify: ' . $e->getMessage());
    }
}

$customer = keyOf('customer', time() + 365 * 24 * 3600);
$session = keyOf('session', 0);
// Your shop does its own work here. Then:
if (isset($_POST['ticket'])) { // the product of this ticket was added to the cart
    tell($customer, $session, fn () => Notification::addToCart($_POST['ticket']));
}
if (isset($_POST['order'])) { // the order with this number is paid
    tell($customer, $session, fn () => Notification::securePayment(
        linesOf($_POST['order']),
        (string) getenv('ESALES_PRIVATE_KEY')
    ));
}
header('Content-Type: text/plain');
echo "Thank you\n";
