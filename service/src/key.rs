//! Master keys: which there are, and rotating them.

use std::sync::Arc;

use proto::v1;
use proto::v1::key_service_server::KeyService;
use storage::{KeyStatus, Store, StoreError};
use tonic::{Request, Response, Status};

use crate::config::Config;
use crate::status;

/// The key service over a store.
pub(crate) struct Keys<S> {
    store: Arc<S>,
    config: Config,
}

impl<S: Store> Keys<S> {
    pub(crate) fn new(store: Arc<S>, config: Config) -> Self {
        Self { store, config }
    }

    async fn rotate(&self) -> Result<KeyStatus, StoreError> {
        let refused = |reason: String| StoreError::Precondition { reason };
        let config = self.config.clone();
        let masters = tokio::task::spawn_blocking(move || config.master_keys())
            .await
            .map_err(|_| StoreError::Closed)?
            .map_err(|fatal| refused(fatal.sentence))?;
        let none = || refused("nothing is encrypted: no master key is configured".to_owned());
        let masters = masters.ok_or_else(none)?;
        let status = self.store.rotate_keys(masters).await?;
        tracing::info!(
            event = "keys.rotated",
            current = status.current,
            "the master keys are rotated"
        );
        Ok(status)
    }
}

#[tonic::async_trait]
impl<S: Store> KeyService for Keys<S> {
    async fn get_keys(
        &self,
        _request: Request<v1::GetKeysRequest>,
    ) -> Result<Response<v1::Keys>, Status> {
        answer(self.store.key_status().await)
    }

    async fn rotate_keys(
        &self,
        _request: Request<v1::RotateKeysRequest>,
    ) -> Result<Response<v1::Keys>, Status> {
        answer(self.rotate().await)
    }
}

fn answer(status: Result<KeyStatus, StoreError>) -> Result<Response<v1::Keys>, Status> {
    let status = status.map_err(|error| status::of_store(&error))?;
    let master_keys = status.wrapped.into_iter();
    let master_keys = master_keys.map(|(id, wraps)| v1::MasterKey { id, wraps });
    Ok(Response::new(v1::Keys {
        current_id: status.current,
        master_keys: master_keys.collect(),
    }))
}
