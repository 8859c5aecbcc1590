//! What a program does with each kind of failure.

use esales_notify::{Client, Config, Error, Visitor};

fn main() -> Result<(), Error> {
    let client = Client::new(&Config::from_env()?)?;
    let visitor = Visitor::anonymous(
        "d9528030-509c-4e0f-b585-7168f1e9feca",
        "b106299c-eac0-4f6f-96d2-93e57c255784",
    )
    .in_market("UK");
    for ticket in ["", "a ticket", "a ticket", "a ticket"] {
        match client.notify_add_to_cart(&visitor, ticket, None) {
            Ok(_) => println!("delivered"),
            // To send it again, pass the id of error.receipt().
            Err(error) if error.status().is_retryable() => {
                println!("may succeed later: {}", error.detail());
            }
            Err(error) if error.receipt().is_some_and(|r| r.attempts > 0) => {
                println!("refused for good: {}", error.detail());
            }
            Err(error) => println!("nothing was sent: {}", error.detail()),
        }
    }
    Ok(())
}
