//! The edge over real sockets, with a store that does what the test tells it. One binary: it links
//! once.

mod authority;
mod by_message;
mod client;
mod deposit;
mod digest;
mod letter;
mod msrp_client;
mod next_hop;
mod privacy;
mod push;
mod push_failures;
mod push_large;
mod reception;
mod reception_tls;
mod registration;
mod running;
mod store;
mod tls;
mod tls_push;

use std::future::Future;
use std::time::Duration;

/// Longer than anything here takes; a test that waits for what never comes ends with it.
const PATIENCE: Duration = Duration::from_secs(20);

/// The outcome of `future`, which must come.
async fn within<T>(what: &str, future: impl Future<Output = T>) -> T {
    let outcome = tokio::time::timeout(PATIENCE, future).await;
    outcome.unwrap_or_else(|_| panic!("nothing came: {what}"))
}
