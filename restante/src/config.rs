//! The one configuration file of all processes.

use std::path::Path;

use daemon::config::{Document, Environment, SectionDoc, render_default};
use daemon::exit::Fatal;
use daemon::log::Log;
use daemon::trace::Tracing;

/// What all processes are told.
pub(crate) struct Config {
    pub(crate) log: Log,
    pub(crate) tracing: Tracing,
    pub(crate) service: service::Config,
    pub(crate) console: console::Config,
    pub(crate) sip_edge: sip_edge::Config,
    pub(crate) controlling_edge: controlling_edge::Config,
}

impl Config {
    /// Reads the file and the environment. All sections are checked, also those of processes that
    /// are not started here: a mistake is found before the machine it is meant for has it.
    ///
    /// # Errors
    /// [`daemon::exit::Code::Config`] with every mistake and its place.
    pub(crate) fn load(path: Option<&Path>, is_laptop: bool) -> Result<Self, Fatal> {
        let mut document = Document::load(path, Environment::of_process());
        if is_laptop {
            for (key, value) in LAPTOP {
                document.preset(key, value);
            }
        }
        let config = Self {
            log: document.read(),
            tracing: document.read(),
            service: service::Config::read(&mut document),
            console: console::Config::read(&mut document),
            sip_edge: sip_edge::Config::read(&mut document),
            controlling_edge: controlling_edge::Config::read(&mut document),
        };
        if is_laptop && config.service.is_secure() {
            config.expect_https(&mut document);
        }
        document.finish()?;
        Ok(config)
    }

    /// In one process the edges get the address of the storage service, but not which of the names in its certificate
    /// they are to look for.
    fn expect_https(&self, document: &mut Document) {
        let addresses = [
            ("sip-edge.storage", &self.sip_edge.process.storage),
            (
                "controlling-edge.storage",
                &self.controlling_edge.process.storage,
            ),
        ];
        for (key, address) in addresses {
            if !address.starts_with("https://") {
                let sentence =
                    "must be https:// and a name in grpc-tls.certificate, because [grpc-tls] is on";
                document.error_at(key, sentence);
            }
        }
    }
}

/// What `restante all` takes for granted where nothing else is written: one machine, no core.
const LAPTOP: [(&str, &str); 2] = [
    // Who is there gets his messages at once.
    ("pf.forward_online", "true"),
    // Clients of the same machine may ask to be connected to.
    ("msrp.allow_networks", r#"["127.0.0.0/8", "::1/128"]"#),
];

/// Every key with its meaning and its default, as a file.
pub(crate) fn default_file() -> String {
    let own = [
        &<Log as daemon::config::Section>::DOC,
        &<Tracing as daemon::config::Section>::DOC,
    ];
    let sections: Vec<&SectionDoc> = own
        .into_iter()
        .chain(service::Config::DOCS)
        .chain([console::Config::DOC])
        .chain(sip_edge::Config::DOCS)
        .chain(controlling_edge::Config::DOCS)
        .collect();
    render_default(&sections)
}
