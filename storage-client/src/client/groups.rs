//! Groups: looked up for messages, read and edited by their owners.

use proto::v1;

use super::StorageClient;
use crate::convert;
use crate::fan_out::{Group, GroupAnswer, GroupDocument, OwnedGroup};
use crate::{GroupError, Unavailable};

/// Addresses that are asked about in one call, each of at most 1,024 octets.
const LOOK_UPS_AT_ONCE: usize = 1_000;

impl StorageClient {
    /// A group with its members, unless it still has `known_version` (zero: none is known).
    ///
    /// # Errors
    /// [`Unavailable`]: ask again.
    pub async fn look_up_group(
        &self,
        uri: &str,
        known_version: u64,
    ) -> Result<GroupAnswer, Unavailable> {
        let request = self.request(v1::LookUpGroupRequest {
            uri: uri.to_owned(),
            known_version,
        });
        let reply = self.fan_outs().look_up_group(request).await;
        let reply = reply.map_err(|status| Unavailable::from_status(&status))?;
        convert::group_answer(reply.into_inner())
    }

    /// Which of these canonical addresses are groups, in their order; asked in slices, so that any number of
    /// them can be.
    ///
    /// # Errors
    /// [`Unavailable`], also for addresses that the service refuses.
    pub async fn which_are_groups(&self, uris: Vec<String>) -> Result<Vec<bool>, Unavailable> {
        let mut are_groups = Vec::with_capacity(uris.len());
        for uris in uris.chunks(LOOK_UPS_AT_ONCE) {
            let request = self.request(v1::WhichAreGroupsRequest {
                uris: uris.to_vec(),
            });
            let reply = self.fan_outs().which_are_groups(request).await;
            let reply = reply.map_err(|status| Unavailable::from_status(&status))?;
            let reply = reply.into_inner().are_groups;
            if reply.len() != uris.len() {
                return Err(Unavailable::new("half an answer to a look-up"));
            }
            are_groups.extend(reply);
        }
        Ok(are_groups)
    }

    /// The group that a document of this owner is about; `None` if there is none.
    ///
    /// # Errors
    /// [`Unavailable`].
    pub async fn group_document(
        &self,
        owner: &str,
        name: &str,
    ) -> Result<Option<OwnedGroup>, Unavailable> {
        let request = self.request(v1::GetGroupDocumentRequest {
            owner: owner.to_owned(),
            name: name.to_owned(),
        });
        match self.fan_outs().get_group_document(request).await {
            Ok(reply) => convert::owned_group(reply.into_inner())
                .map(Some)
                .ok_or_else(|| Unavailable::new("half an answer to a look-up")),
            Err(status) if status.code() == tonic::Code::NotFound => Ok(None),
            Err(status) => Err(Unavailable::from_status(&status)),
        }
    }

    /// Makes a group, or puts another one in its place, for its owner, with the document in which he says so, if
    /// he does; only if it has `expected_version` (zero: if there is none), if that is given. The group as it is
    /// then, without its members.
    ///
    /// # Errors
    /// [`GroupError`].
    pub async fn put_group(
        &self,
        group: Group,
        document: Option<GroupDocument>,
        expected_version: Option<u64>,
    ) -> Result<Group, GroupError> {
        let request = self.request(v1::PutGroupRequest {
            group: Some(convert::proto_group(group)),
            document: document.map(convert::proto_group_document),
            expected_version,
        });
        let reply = self.fan_outs().put_group(request).await;
        reply
            .map(|reply| convert::group(reply.into_inner()))
            .map_err(|status| GroupError::from_status(&status))
    }

    /// Forgets a group of its owner; only if it has `expected_version`, if that is given.
    ///
    /// # Errors
    /// [`GroupError`].
    pub async fn remove_group(
        &self,
        uri: &str,
        owner: &str,
        expected_version: Option<u64>,
    ) -> Result<(), GroupError> {
        let request = self.request(v1::RemoveGroupRequest {
            uri: uri.to_owned(),
            owner: owner.to_owned(),
            expected_version,
        });
        let reply = self.fan_outs().remove_group(request).await;
        reply
            .map(drop)
            .map_err(|status| GroupError::from_status(&status))
    }
}
