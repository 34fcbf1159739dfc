//! The one place where a stored deposit becomes a wire reply (P1).

use proto::v1;
use storage::Synced;
use storage::model::Receipt;

use crate::convert;

/// The reply that an edge may turn into a 2xx. It takes the proof that the receipt is on disk; no
/// other file of the service makes this message, which a test looks for.
pub(crate) fn deposited(receipt: Synced<Receipt>, novelty: Novelty) -> v1::Deposited {
    let receipt = receipt.into_inner();
    v1::Deposited {
        message_id: receipt.id.to_string(),
        received_at: Some(convert::timestamp(receipt.received_at)),
        duplicate: novelty == Novelty::Duplicate,
        registered: novelty == Novelty::Stored { registered: true },
    }
}

/// Whether a message is there for the first time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Novelty {
    /// It is.
    Stored {
        /// Its user is registered.
        registered: bool,
    },
    /// It was there before.
    Duplicate,
}

#[cfg(test)]
mod tests {
    use std::path::{Path, PathBuf};

    fn sources(folder: &Path) -> Vec<PathBuf> {
        let entries = std::fs::read_dir(folder).expect("the sources are there");
        let paths = entries.map(|entry| entry.expect("readable").path());
        paths
            .flat_map(|path| match path.is_dir() {
                true => sources(&path),
                false => vec![path],
            })
            .collect()
    }

    #[test]
    fn each_reply_that_promises_is_made_in_one_file() {
        let here = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
        let promises = [
            (concat!("v1::", "Deposited"), "deposit/receipt.rs"),
            (concat!("v1::", "JobAccepted"), "fan_out/receipt.rs"),
        ];
        for (name, file) in promises {
            let mentions = sources(&here).into_iter().filter(|path| {
                let text = std::fs::read_to_string(path).expect("text");
                text.contains(name)
            });
            assert_eq!(mentions.collect::<Vec<_>>(), [here.join(file)]);
        }
    }
}
