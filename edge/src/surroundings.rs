//! What an edge stands in where it is not the operating system: the simulation's network, and its way to the
//! store.

use std::sync::Arc;

use net::network::Network;
use storage_client::Connector;

/// By default all is the operating system's.
#[derive(Clone, Debug, Default)]
pub struct Surroundings {
    /// Where SIP over UDP is bound.
    pub network: Option<Arc<dyn Network>>,
    /// How the store is reached.
    pub connector: Option<Connector>,
}
