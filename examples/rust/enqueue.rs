//! Puts an event into the queue, and waits until it has left it.

use std::time::Duration;

use esales_notify::{Client, Config, Error, Visitor};

fn main() -> Result<(), Error> {
    let client = Client::new(&Config::from_env()?)?; // ESALES_SPOOL names the directory that holds the queue
    let visitor = Visitor::anonymous(
        "d9528030-509c-4e0f-b585-7168f1e9feca",
        "b106299c-eac0-4f6f-96d2-93e57c255784",
    );
    let receipt = client.enqueue_add_to_cart(&visitor.in_market("UK"), "a ticket", None)?;
    println!("{} {}", receipt.status, receipt.id);

    // A server goes on here. A program that ends waits, or what is in the memory of its process is lost.
    if !client.flush(Duration::from_secs(5))? {
        println!("{} still wait", client.stats()?.spool.pending);
    }
    if let Some(outcome) = client.receipt(&receipt.id)? {
        println!("{} {}", outcome.status, outcome.id);
    }
    Ok(())
}
