//! Sends the vendor's example and prints what became of it.

use esales_notify::{Client, Config, Error, Visitor};

const TICKET: &str = "Oy9keW5hbWljLXBhZ2VzL3N0YXJ0L2VzYWxlcy1zdGFydC0xOyM7cHJvZHVjdF9rZXk7UF8xMjUzODMtMDAxNF9VSzsjOztOT05FOk5PTkU7NjE7";

fn main() -> Result<(), Error> {
    let client = Client::new(&Config::from_env()?)?; // reads ESALES_CLUSTER_ID, or ESALES_BASE_URL for a sandbox
    let visitor = Visitor::anonymous(
        "d9528030-509c-4e0f-b585-7168f1e9feca",
        "b106299c-eac0-4f6f-96d2-93e57c255784",
    );
    let receipt = client.notify_add_to_cart(&visitor.in_market("UK"), TICKET, None)?;
    println!("{} {}", receipt.status, receipt.id);
    Ok(())
}
