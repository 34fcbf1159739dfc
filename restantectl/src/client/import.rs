//! Taking messages over.

use proto::v1::{ImportMessagesRequest, ImportResult, ImportedMessage};

use super::{Client, finish};
use crate::exit::Failure;

impl Client {
    /// Has the service store messages of another store, or tell what would become of them.
    pub(crate) async fn import(
        &mut self,
        messages: Vec<ImportedMessage>,
        dry_run: bool,
        reason: String,
    ) -> Result<Vec<ImportResult>, Failure> {
        let request = self.request(ImportMessagesRequest {
            messages,
            dry_run,
            reason,
        });
        let answer = self.imports.import_messages(request);
        let reply = finish(&self.server, self.deadline, answer).await?;
        Ok(reply.results)
    }
}
