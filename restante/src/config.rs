//! The one configuration file of all processes.

use std::fmt::Write as _;
use std::path::Path;

use daemon::config::{
    ConfigErrors, Document, Environment, SectionDoc, Setting, render_default, render_reference,
};
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

/// A configuration that has been read.
pub(crate) struct Loaded {
    pub(crate) config: Config,
    /// Each key with what holds.
    pub(crate) settings: Vec<Setting>,
}

impl Config {
    /// Reads the file and the environment. All sections are checked, also those of processes that
    /// are not started here: a mistake is found before the machine it is meant for has it.
    ///
    /// # Errors
    /// Every mistake and its place.
    pub(crate) fn load(path: Option<&Path>, is_laptop: bool) -> Result<Loaded, ConfigErrors> {
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
        let settings = document.settings();
        document.finish()?;
        Ok(Loaded { config, settings })
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
    let sections: Vec<&SectionDoc> = sections().into_iter().map(|(_, doc)| doc).collect();
    render_default(&sections)
}

/// Every key with its meaning, for people who read.
pub(crate) fn reference() -> String {
    render_reference(HEAD, &sections())
}

/// What holds of each key, by sections, as the file would say it.
pub(crate) fn shown(settings: &[Setting]) -> String {
    // Top-level keys first: in TOML they would otherwise belong to the table before them.
    let mut sections: Vec<(&str, String)> = vec![("", String::new())];
    for setting in settings {
        let (section, key) = setting.key.split_once('.').unwrap_or(("", &setting.key));
        let at = sections.iter().position(|(name, _)| *name == section);
        let at = at.unwrap_or_else(|| {
            sections.push((section, format!("\n[{section}]\n")));
            sections.len() - 1
        });
        let place = match setting.is_written() {
            true => format!("  # {}", setting.place),
            false => String::new(),
        };
        if let Some((_, text)) = sections.get_mut(at) {
            let _ = writeln!(text, "{key} = {}{place}", setting.shown());
        }
    }
    sections.into_iter().map(|(_, text)| text).collect()
}

/// All sections with who reads them.
fn sections() -> Vec<(&'static str, &'static SectionDoc)> {
    let everybody = [
        &<Log as daemon::config::Section>::DOC,
        &<Tracing as daemon::config::Section>::DOC,
    ];
    let of = |reader| move |doc| (reader, doc);
    everybody
        .into_iter()
        .map(of("all"))
        .chain(service::Config::DOCS.into_iter().map(of("storage")))
        .chain([console::Config::DOC].into_iter().map(of("storage")))
        .chain(sip_edge::Config::DOCS.into_iter().map(of("sip-edge")))
        .chain(
            controlling_edge::Config::DOCS
                .into_iter()
                .map(of("controlling-edge")),
        )
        .collect()
}

const HEAD: &str = "\
# Configuration

Every key of the one configuration file that all processes read, as `restante config reference` prints it; a test holds this file
against the code. `restante config default` prints the same as a file to begin with, `restante config show --config FILE` and
`restantectl config show` what holds. An environment variable, named at the end of each row, is stronger than the file.

`restante … --check` reports every mistake at once, each with its place, and starts nothing; keys and sections that nobody knows are mistakes.

change: **reload** takes effect when the configuration is read again, by SIGHUP or `restantectl config reload`, without a lost message; what is
under way goes on as it began, and what is stored keeps the times it has. **restart** waits for the next start of the process.
Certificates and their keys are read again when their files change, whatever is in this table.

Durations and sizes carry a unit (`500ms`, `30s`, `10m`, `24h`, `7d`; `B`, `KiB`, `MiB`, `GiB`, `TiB`). `off` is the absence of a value.
";
