//! Who has a mailbox, and under which addresses (PFM-09, STO-12).

use std::sync::Arc;

use proto::v1;
use proto::v1::account_service_server::AccountService;
use storage::model::{Account, Address, MailboxId, PageToken};
use storage::{Store, StoreError};
use tonic::{Request, Response, Status};

use crate::operator::actor;
use crate::page_token::PageTokens;
use crate::scheduler::{DepositWatch, Scheduler};
use crate::suspension::Suspensions;
use crate::{convert, status};

/// The account service over a store.
pub(crate) struct Accounts<S> {
    store: Arc<S>,
    watch: DepositWatch,
    suspensions: Suspensions,
    scheduler: Scheduler,
}

impl<S: Store> Accounts<S> {
    pub(crate) fn new(
        store: Arc<S>,
        watch: DepositWatch,
        suspensions: Suspensions,
        scheduler: Scheduler,
    ) -> Self {
        Self {
            store,
            watch,
            suspensions,
            scheduler,
        }
    }

    async fn mailbox(&self, address: Address) -> Result<MailboxId, StoreError> {
        let mailbox = self.store.mailbox(address).await?;
        mailbox.ok_or(StoreError::UnknownAccount)
    }

    /// The account of a mailbox, unless it is forgotten.
    async fn account(&self, mailbox: MailboxId) -> Result<Option<Account>, StoreError> {
        let before = mailbox.0.checked_sub(1).map(MailboxId);
        let found = self.store.list_accounts(before, 1).await?;
        let mut found = found.into_iter();
        Ok(found.find(|account| account.mailbox == mailbox))
    }

    /// The account that an address leads to, after it was changed.
    async fn changed(&self, address: Address) -> Result<Account, StoreError> {
        let mailbox = self.mailbox(address).await?;
        let account = self.account(mailbox).await?;
        account.ok_or(StoreError::UnknownAccount)
    }

    async fn create(&self, address: Address) -> Result<Account, StoreError> {
        self.store.create_account(address.clone()).await?;
        self.changed(address).await
    }

    async fn add(&self, address: Address, alias: Address) -> Result<Account, StoreError> {
        self.store.add_alias(address.clone(), alias).await?;
        let account = self.changed(address).await?;
        // Mail that has joined is as deliverable as a new deposit (DLV-17).
        self.watch.deposited(account.address.clone());
        Ok(account)
    }

    async fn remove(&self, address: Address, alias: Address) -> Result<Account, StoreError> {
        let mailbox = self.mailbox(address).await?;
        if self.mailbox(alias.clone()).await? != mailbox {
            let reason = "the alias belongs to another account".to_owned();
            return Err(StoreError::Precondition { reason });
        }
        self.store.remove_alias(alias).await?;
        let account = self.account(mailbox).await?;
        account.ok_or(StoreError::UnknownAccount)
    }

    async fn page(
        &self,
        after: Option<PageToken>,
        limit: usize,
    ) -> Result<(Vec<Account>, Option<PageToken>), StoreError> {
        let after = after.map(|token| MailboxId(token.0));
        let accounts = self.store.list_accounts(after, limit).await?;
        let last = accounts.last().filter(|_| accounts.len() == limit);
        let next = last.map(|account| PageToken(account.mailbox.0));
        Ok((accounts, next))
    }

    async fn only(&self, address: Address) -> Result<Vec<Account>, StoreError> {
        match self.store.mailbox(address).await? {
            Some(mailbox) => Ok(self.account(mailbox).await?.into_iter().collect()),
            None => Ok(Vec::new()),
        }
    }
}

#[tonic::async_trait]
impl<S: Store> AccountService for Accounts<S> {
    async fn create_account(
        &self,
        request: Request<v1::CreateAccountRequest>,
    ) -> Result<Response<v1::Account>, Status> {
        let address = convert::named(request.into_inner().address)?;
        answer(self.create(address).await)
    }

    async fn list_accounts(
        &self,
        request: Request<v1::ListAccountsRequest>,
    ) -> Result<Response<v1::ListAccountsReply>, Status> {
        let request = request.into_inner();
        let limit = convert::page_size(request.page_size)?;
        let tokens = PageTokens::of_accounts(&self.store.secret());
        let after = tokens.read(&request.page_token)?;
        let found = match request.address {
            all if all.is_empty() => self.page(after, limit).await,
            address => {
                let only = self.only(convert::named(address)?).await;
                only.map(|accounts| (accounts, None))
            }
        };
        let (accounts, next) = found.map_err(|error| status::of_store(&error))?;
        Ok(Response::new(v1::ListAccountsReply {
            accounts: accounts.into_iter().map(convert::account).collect(),
            next_page_token: next.map(|next| tokens.write(next)).unwrap_or_default(),
        }))
    }

    async fn delete_account(
        &self,
        request: Request<v1::DeleteAccountRequest>,
    ) -> Result<Response<v1::DeleteAccountReply>, Status> {
        let address = convert::named(request.into_inner().address)?;
        let deleted = self.store.delete_account(address).await;
        deleted.map_err(|error| status::of_store(&error))?;
        Ok(Response::new(v1::DeleteAccountReply {}))
    }

    async fn erase_account(
        &self,
        request: Request<v1::EraseAccountRequest>,
    ) -> Result<Response<v1::EraseAccountReply>, Status> {
        let actor = actor(&request);
        let v1::EraseAccountRequest { address, reason } = request.into_inner();
        let (address, reason) = (convert::named(address)?, convert::reason(reason)?);
        let erased = self.store.erase_account(address, actor, reason).await;
        let messages = erased.map_err(|error| status::of_store(&error))?;
        self.suspensions.refresh(&*self.store).await?;
        self.scheduler.resumed().await;
        Ok(Response::new(v1::EraseAccountReply {
            messages: messages.into_inner(),
        }))
    }

    async fn add_alias(
        &self,
        request: Request<v1::AddAliasRequest>,
    ) -> Result<Response<v1::Account>, Status> {
        let request = request.into_inner();
        let address = convert::named(request.address)?;
        let alias = convert::named(request.alias)?;
        answer(self.add(address, alias).await)
    }

    async fn remove_alias(
        &self,
        request: Request<v1::RemoveAliasRequest>,
    ) -> Result<Response<v1::Account>, Status> {
        let request = request.into_inner();
        let address = convert::named(request.address)?;
        let alias = convert::named(request.alias)?;
        answer(self.remove(address, alias).await)
    }
}

fn answer(changed: Result<Account, StoreError>) -> Result<Response<v1::Account>, Status> {
    let account = changed.map_err(|error| status::of_store(&error))?;
    Ok(Response::new(convert::account(account)))
}
