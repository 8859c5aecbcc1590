//! A page by CGI. `esales-notify drain` delivers its events: a CGI program exits after one page.

use std::env;
use std::io::{self, Read, Write};

use esales_notify::{Client, Config, Error, Line, Notification, Visitor};
use esales_notify::{customer_key, customer_token, new_key};

fn main() -> io::Result<()> {
    let mut form = String::new();
    io::stdin().take(65_536).read_to_string(&mut form)?;
    let mut page = io::stdout();
    let keys = key_of(&mut page, "customer", "; Max-Age=31536000")
        .and_then(|customer| Ok((customer, key_of(&mut page, "session", "")?)));
    write!(page, "Content-Type: text/plain\r\n\r\nThank you\n")?; // Your shop does its own work here. Then:

    // Every failure is logged: no page fails because of an event.
    if let Err(error) = keys.and_then(|(customer, session)| tell(&form, &customer, &session)) {
        eprintln!("esales-notify: {}", error.detail());
    }
    Ok(())
}

/// Puts the event of the form into the queue.
fn tell(form: &str, customer: &str, session: &str) -> Result<(), Error> {
    let private_key = env::var("ESALES_PRIVATE_KEY").unwrap_or_default();
    let (ticket, order) = (field(form, "ticket"), field(form, "order"));
    let lines = order.map(|order| lines_of(&order)).unwrap_or_default();
    let notification = match &ticket {
        Some(ticket) => Notification::add_to_cart(ticket), // the product of this ticket was added to the cart
        None if lines.is_empty() => return Ok(()),
        None => Notification::secure_payment(&lines, &private_key), // the order is paid
    };
    // Your shop knows who is signed in. Here the web server sets the header, and removes any that a visitor sends.
    let signed_in = match env::var("HTTP_X_REMOTE_USER") {
        Ok(customer_id) => {
            let key = customer_key(&customer_id)?;
            Some((customer_token(&private_key, &key)?, key))
        }
        Err(_) => None,
    };
    let visitor = match &signed_in {
        Some((token, key)) => Visitor::signed_in(key, session, token),
        None => Visitor::anonymous(customer, session),
    };
    Client::new(&Config::from_env()?)?.enqueue(&visitor, &notification)?;
    Ok(())
}

/// The lines of the order, from your database. Return them once: an order that is sent twice is counted twice.
fn lines_of(_order: &str) -> Vec<Line<'static>> {
    vec![
        Line::new("P_125383", 1, "199.50")
            .with_variant("P_125383-0014_UK")
            .with_cost("80"),
    ]
}

/// The key in the visitor's cookie. On the first visit the page makes a key, and its response sets the cookie.
fn key_of(page: &mut impl Write, cookie: &str, lifetime: &str) -> Result<String, Error> {
    let is_key = |c: char| c.is_ascii_hexdigit() || c == '-';
    let cookies = env::var("HTTP_COOKIE").unwrap_or_default();
    let found = cookies
        .split(';')
        .find_map(|one| one.trim().strip_prefix(cookie)?.strip_prefix('='));
    if let Some(key) = found.filter(|key| key.len() == 36 && key.chars().all(is_key)) {
        return Ok(key.to_owned());
    }
    let key = new_key()?;
    let secure = env::var_os("HTTPS").map_or("", |_| "; Secure");
    // A visitor who does not wait for the answer is no failure of the event.
    let _ = write!(
        page,
        "Set-Cookie: {cookie}={key}; Path=/; HttpOnly; SameSite=Lax{lifetime}{secure}\r\n"
    );
    Ok(key)
}

/// A value of a form, without what a browser does to it.
fn field(form: &str, name: &str) -> Option<String> {
    let value = form
        .split('&')
        .find_map(|one| one.strip_prefix(name)?.strip_prefix('='))?;
    let mut bytes = value.bytes();
    let mut decoded = Vec::new();
    while let Some(byte) = bytes.next() {
        decoded.push(match byte {
            b'+' => b' ',
            b'%' => {
                let digits = [bytes.next()?, bytes.next()?];
                u8::from_str_radix(std::str::from_utf8(&digits).ok()?, 16).ok()?
            }
            other => other,
        });
    }
    String::from_utf8(decoded).ok()
}
