//! What `send` takes.

use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, ValueEnum};
use cpim::imdn::Disposition;
use restante_im_client::choice::Mode;
use restante_im_client::envelope::TargetDialog;
use restante_im_client::file::Spelling;
use sip::Uri;

use super::value::{duration, octets};

#[derive(Debug, Args)]
pub(crate) struct Send {
    /// The recipient, a user or a group; with --target-dialog, the identity of a session.
    pub(crate) to: Uri,
    /// The text; left out, it is read from --file or from standard input.
    pub(crate) text: Option<String>,
    /// A further recipient; may be given several times. A message to several goes by --factory.
    #[arg(long = "also", value_name = "URI", requires = "factory")]
    pub(crate) also: Vec<Uri>,
    /// The conference factory of the user's IM service, which spreads a message to several recipients.
    #[arg(long, value_name = "URI", env = "IM_FACTORY")]
    pub(crate) factory: Option<Uri>,
    /// Send this file; may be given several times.
    #[arg(long = "file", value_name = "FILE", conflicts_with = "text")]
    pub(crate) files: Vec<PathBuf>,
    /// MIME type of the content; without it text is text/plain and a file application/octet-stream.
    #[arg(long, value_name = "TYPE")]
    pub(crate) content_type: Option<String>,
    /// Subject of the message.
    #[arg(long)]
    pub(crate) subject: Option<String>,
    /// Lifetime of a short message, such as 90s, 12h or 7d.
    #[arg(long, value_parser = duration)]
    pub(crate) expires: Option<Duration>,
    /// Hide who sends it from the recipient.
    #[arg(long)]
    pub(crate) anonymous: bool,
    /// By MESSAGE or in a session of its own; auto decides by the size of the complete request.
    #[arg(long, value_enum, default_value = "auto")]
    pub(crate) mode: ModeChoice,
    /// Every hop to the recipient is known to be a connection: MESSAGE even above 1300 octets.
    #[arg(long)]
    pub(crate) end_to_end_tcp: bool,
    /// Ask to be told what becomes of it: positive-delivery, negative-delivery, processing, display; several with commas.
    /// Its imdn.Message-ID is shown.
    #[arg(
        long,
        value_name = "REPORTS",
        value_enum,
        value_delimiter = ',',
        conflicts_with_all = ["files", "external_url"]
    )]
    pub(crate) report: Vec<ReportChoice>,
    /// Keep in this file for 12 hours which message that was, for `receive --reports`.
    #[arg(long, value_name = "FILE", env = "IM_REPORTS", requires = "report")]
    pub(crate) reports: Option<PathBuf>,
    /// The session whose participants shall get it: CALL-ID;local-tag=TAG;remote-tag=TAG.
    #[arg(long, value_name = "DIALOG")]
    pub(crate) target_dialog: Option<TargetDialog>,
    #[command(flatten)]
    pub(crate) external: External,
    #[command(flatten)]
    pub(crate) file: FileOptions,
    /// Wait for a success report even where the peer is no focus.
    #[arg(long)]
    pub(crate) success_report: bool,
    /// How long to wait for that report.
    #[arg(long, value_name = "TIME", default_value = "120s", value_parser = duration)]
    pub(crate) report_wait: Duration,
    /// Give the message up after this time, as Ctrl-C does.
    #[arg(long, value_name = "TIME", value_parser = duration)]
    pub(crate) cancel_after: Option<Duration>,
}

/// Content that lies elsewhere.
#[derive(Debug, Args)]
pub(crate) struct External {
    /// Send only where the content lies, by content indirection; --content-type is the content's.
    #[arg(long, value_name = "URL", conflicts_with_all = ["text", "files"])]
    pub(crate) external_url: Option<String>,
    /// Length of that content, such as 482133 or 2MiB.
    #[arg(long, value_name = "SIZE", requires = "external_url", value_parser = octets)]
    pub(crate) external_size: Option<u64>,
    /// How long it will lie there.
    #[arg(long, value_name = "TIME", requires = "external_url", value_parser = duration)]
    pub(crate) external_expires: Option<Duration>,
}

/// What is said of files.
#[derive(Debug, Args)]
pub(crate) struct FileOptions {
    /// The content is to be kept, not shown at once.
    #[arg(long)]
    pub(crate) attachment: bool,
    /// In which names a session describes a file: those of the draft, those of RFC 5547, or both.
    #[arg(long, value_enum, default_value = "both", requires = "files")]
    pub(crate) file_attributes: SpellingChoice,
    /// Tell the SHA-1 of a file, for which it is read twice.
    #[arg(long, requires = "files")]
    pub(crate) hash: bool,
    /// A small picture shown before the file is taken.
    #[arg(long, value_name = "FILE", requires = "files")]
    pub(crate) icon: Option<PathBuf>,
    /// MIME type of that picture.
    #[arg(
        long,
        value_name = "TYPE",
        default_value = "image/png",
        requires = "icon"
    )]
    pub(crate) icon_type: String,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
pub(crate) enum ReportChoice {
    PositiveDelivery,
    NegativeDelivery,
    Processing,
    Display,
}

impl From<ReportChoice> for Disposition {
    fn from(choice: ReportChoice) -> Self {
        match choice {
            ReportChoice::PositiveDelivery => Self::PositiveDelivery,
            ReportChoice::NegativeDelivery => Self::NegativeDelivery,
            ReportChoice::Processing => Self::Processing,
            ReportChoice::Display => Self::Display,
        }
    }
}

#[derive(Clone, Copy, Debug, ValueEnum)]
pub(crate) enum ModeChoice {
    Auto,
    Pager,
    Large,
}

impl From<ModeChoice> for Mode {
    fn from(choice: ModeChoice) -> Self {
        match choice {
            ModeChoice::Auto => Self::Auto,
            ModeChoice::Pager => Self::Pager,
            ModeChoice::Large => Self::Large,
        }
    }
}

#[derive(Clone, Copy, Debug, ValueEnum)]
pub(crate) enum SpellingChoice {
    Draft,
    Published,
    Both,
}

impl From<SpellingChoice> for Spelling {
    fn from(choice: SpellingChoice) -> Self {
        match choice {
            SpellingChoice::Draft => Self::Draft,
            SpellingChoice::Published => Self::Published,
            SpellingChoice::Both => Self::Both,
        }
    }
}
