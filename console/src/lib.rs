//! The operators' web console: pages for browsers, in the process of the storage service.
//!
//! * **It may what its visitor may.** A page is made of calls of the operators' gRPC services, on connections in the name of
//!   whoever has signed in ([`Visitor`]). Which role a call needs is decided there, not here; what a role does not allow is
//!   only not offered.
//! * **One way in.** A token that `restantectl console` has asked for becomes a session ([`session`]); there are no
//!   passwords, and nothing is written down.
//! * **Nothing of a stranger's is markup.** Pages are templates that escape; browsers are told to run and load what is in
//!   `assets/` and nothing else ([`guard`]).
//!
//! It is not a way around gRPC: it has no store and no state but sessions.

mod calls;
mod config;
mod fields;
mod guard;
mod listen;
mod page;
mod place;
mod refusal;
mod session;
mod show;
mod sign_in;
mod site;
mod visitor;

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use daemon::exit::{Code, Fatal};
use daemon::readiness::Readiness;
use tokio::net::TcpListener;
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;

pub use config::Config;
pub use visitor::{Connect, Entrance, SigningIn, Visitor};

use listen::Security;
use place::Place;
use site::Site;

/// Time between two looks for sessions whose time is over.
const SWEEP: Duration = Duration::from_secs(5);

/// A console that is bound, and serves nothing yet.
#[derive(Debug)]
pub struct Console {
    config: Config,
    listener: TcpListener,
    address: SocketAddr,
    security: Option<Security>,
    place: Place,
}

impl Console {
    /// Binds the console, if there is to be one. `readiness` gets the condition `console`.
    ///
    /// # Errors
    /// [`Code::Config`] for a certificate that cannot be used, [`Code::Unavailable`] if the address cannot be bound.
    ///
    /// # Panics
    /// Outside a tokio runtime.
    pub fn bind(config: &Config, readiness: &Readiness) -> Result<Option<Self>, Fatal> {
        let Some(address) = config.keys.listen else {
            return Ok(None);
        };
        let security = Security::new(&config.keys)?;
        let listener = daemon::listen::tcp("console.listen", address)?;
        let listener = listener
            .set_nonblocking(true)
            .and_then(|()| TcpListener::from_std(listener))
            .and_then(|listener| Ok((listener.local_addr()?, listener)));
        let unavailable = |error: io::Error| {
            let sentence = format!("console.listen: {error}");
            Fatal::new(Code::Unavailable, sentence)
        };
        let (address, listener) = listener.map_err(unavailable)?;
        let condition = readiness.condition("console");
        match &config.warning {
            None => condition.ready(),
            Some(warning) => {
                tracing::warn!(event = "console.exposed", %warning, "the console is reachable without TLS");
                condition.warning(warning.clone());
            }
        }
        Ok(Some(Self {
            place: Place::new(&config.keys, address, security.is_some()),
            config: config.clone(),
            listener,
            address,
            security,
        }))
    }

    /// What is bound.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Where browsers find it, such as `http://127.0.0.1:9403`.
    #[must_use]
    pub fn url(&self) -> String {
        self.place.url().to_owned()
    }

    /// Serves whoever the entrance lets in, until the shutdown.
    pub async fn run(self, entrance: Arc<dyn Entrance>, shutdown: CancellationToken) {
        let site = Arc::new(Site::new(&self.config.keys, self.place, entrance));
        let router = site::router(Arc::clone(&site));
        let ends = shutdown.clone();
        let serving = listen::serve(self.listener, self.security, router, shutdown);
        let ending = async {
            // Live watches end with their sessions, which end though nobody asks for them.
            let sweeping = async {
                loop {
                    sleep(SWEEP).await;
                    site.sessions.sweep();
                }
            };
            ends.run_until_cancelled(sweeping).await;
            site.sessions.close_all();
        };
        tokio::join!(serving, ending);
    }
}
