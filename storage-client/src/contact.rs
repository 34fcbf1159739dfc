//! Whether there is a stream to the storage service, and what the service says of its store.

use proto::v1;
use tokio::sync::watch;

use crate::store_identity::StoreIdentity;

/// Why nothing is taken where there is no stream.
const NO_CONNECTION: &str = "no connection to the storage service";

/// Where the exchange driver tells whether it has a stream.
#[derive(Clone, Debug)]
pub(crate) struct Contact {
    /// Whose it is, for metrics.
    role: &'static str,
    pub(crate) connected: watch::Sender<bool>,
    pub(crate) unready: watch::Sender<Option<String>>,
    pub(crate) store: watch::Sender<Option<StoreIdentity>>,
}

impl Contact {
    pub(crate) fn new(role: &'static str) -> Self {
        Self {
            role,
            connected: watch::Sender::new(false),
            unready: watch::Sender::new(Some(NO_CONNECTION.to_owned())),
            store: watch::Sender::new(None),
        }
    }

    pub(crate) fn made(&self, store: Option<v1::StoreIdentity>) {
        if let Some(store) = store {
            self.store.send_replace(Some(StoreIdentity {
                hostname: store.hostname,
                secret: store.secret,
            }));
        }
        self.connect(true);
    }

    /// Returns whether it was before.
    fn connect(&self, is_connected: bool) -> bool {
        metrics::gauge!("restante_storage_connected", "role" => self.role)
            .set(u8::from(is_connected));
        self.connected.send_replace(is_connected)
    }

    /// What the service says of its store.
    pub(crate) fn told(&self, readiness: v1::StoreReadiness) {
        let unready = Some(readiness.unready).filter(|reason| !reason.is_empty());
        self.unready.send_if_modified(|known| {
            let is_news = *known != unready;
            *known = unready;
            is_news
        });
    }

    /// The stream is open, and nothing will be accepted until the service is restarted, which breaks
    /// it.
    pub(crate) fn refuses(&self) {
        if self.connect(false) {
            tracing::error!(
                event = "storage.latched",
                "storage accepts nothing until it is restarted"
            );
        }
        self.unready.send_if_modified(|known| {
            let is_news = known.is_none();
            known.get_or_insert_with(|| "the store is latched".to_owned());
            is_news
        });
    }

    /// There is no stream, and why.
    pub(crate) fn lost(&self, reason: &str) {
        self.connect(false);
        self.told(v1::StoreReadiness {
            unready: format!("{NO_CONNECTION}: {reason}"),
        });
    }
}
