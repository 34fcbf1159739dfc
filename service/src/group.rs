//! Groups as operators steer them.

use std::sync::Arc;

use proto::v1;
use proto::v1::group_service_server::GroupService;
use storage::Store;
use storage::model::{Group, GroupChange, GroupOrder};
use tonic::{Request, Response, Status};

use crate::page_token::PageTokens;
use crate::{convert, status};

/// The group service over a store.
pub(crate) struct Groups<S> {
    pub(crate) store: Arc<S>,
}

impl<S: Store> Groups<S> {
    async fn change(
        &self,
        change: GroupChange,
        expected_version: Option<u64>,
    ) -> Result<Group, Status> {
        let order = GroupOrder {
            change,
            expected_version,
            editor: None,
            document: None,
        };
        let changed = self.store.change_group(order).await;
        let changed = changed.map_err(|error| status::of_store(&error));
        let changed = changed.and_then(|changed| changed.map_err(status::of_group));
        changed.map(storage::Synced::into_inner)
    }
}

#[tonic::async_trait]
impl<S: Store> GroupService for Groups<S> {
    async fn create_group(
        &self,
        request: Request<v1::CreateGroupRequest>,
    ) -> Result<Response<v1::Group>, Status> {
        let group = convert::group(request.into_inner().group)?;
        let change = GroupChange::Create(group);
        let group = self.change(change, None).await?;
        Ok(Response::new(convert::proto_group(group)))
    }

    async fn get_group(
        &self,
        request: Request<v1::GetGroupRequest>,
    ) -> Result<Response<v1::Group>, Status> {
        let uri = convert::named(request.into_inner().uri)?;
        let group = self.store.group(uri).await;
        let group = group.map_err(|error| status::of_store(&error))?;
        let group = group.ok_or_else(|| Status::not_found("no such group"))?;
        Ok(Response::new(convert::proto_group(group)))
    }

    async fn list_groups(
        &self,
        request: Request<v1::ListGroupsRequest>,
    ) -> Result<Response<v1::ListGroupsReply>, Status> {
        let request = request.into_inner();
        let limit = convert::page_size(request.page_size)?;
        let tokens = PageTokens::of_groups(&self.store.secret());
        let after = tokens.read_place(&request.page_token)?;
        let groups = self.store.list_groups(after, limit).await;
        let groups = groups.map_err(|error| status::of_store(&error))?;
        let last = groups.last().filter(|_| groups.len() == limit);
        let next_page_token = last.map(|(place, _)| tokens.write_place(*place));
        let heads = groups
            .into_iter()
            .map(|(_, group)| convert::group_head(group));
        Ok(Response::new(v1::ListGroupsReply {
            next_page_token: next_page_token.unwrap_or_default(),
            groups: heads.collect(),
        }))
    }

    async fn update_group(
        &self,
        request: Request<v1::UpdateGroupRequest>,
    ) -> Result<Response<v1::Group>, Status> {
        let request = request.into_inner();
        let change = GroupChange::Replace(convert::group(request.group)?);
        let expected = request.expected_version;
        let group = self.change(change, expected).await?;
        Ok(Response::new(convert::proto_group(group)))
    }

    async fn delete_group(
        &self,
        request: Request<v1::DeleteGroupRequest>,
    ) -> Result<Response<v1::DeleteGroupReply>, Status> {
        let request = request.into_inner();
        let change = GroupChange::Delete(convert::named(request.uri)?);
        let expected = request.expected_version;
        self.change(change, expected).await?;
        Ok(Response::new(v1::DeleteGroupReply {}))
    }

    async fn add_members(
        &self,
        request: Request<v1::AddMembersRequest>,
    ) -> Result<Response<v1::Group>, Status> {
        let request = request.into_inner();
        let members = convert::members(request.members)?;
        let change = GroupChange::Add(convert::named(request.uri)?, members);
        let group = self.change(change, None).await?;
        Ok(Response::new(convert::group_head(group)))
    }

    async fn remove_members(
        &self,
        request: Request<v1::RemoveMembersRequest>,
    ) -> Result<Response<v1::Group>, Status> {
        let request = request.into_inner();
        let members = request.members.into_iter().map(convert::named);
        let members = members.collect::<Result<_, _>>()?;
        let change = GroupChange::Remove(convert::named(request.uri)?, members);
        let group = self.change(change, None).await?;
        Ok(Response::new(convert::group_head(group)))
    }
}
