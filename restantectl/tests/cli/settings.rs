//! A fake whose users have said nothing, and what is done with all that is kept of one.

use proto::v1::foresee_settings_request::Order;
use proto::v1::settings_admin_service_server::SettingsAdminService;
use proto::v1::{
    Account, ClearSettingsRequest, ForeseeSettingsRequest, GetSettingsRequest,
    OverrideSettingsRequest, PresetSettingsRequest, UserSettings,
};
use tonic::{Request, Response, Status};

use crate::fake::{Fake, State};
use crate::run::restantectl;
use crate::sample::{mailbox, service};

pub(crate) struct Settings;

fn nothing_said(address: String) -> Result<Response<UserSettings>, Status> {
    Ok(Response::new(UserSettings {
        address,
        ..UserSettings::default()
    }))
}

#[tonic::async_trait]
impl SettingsAdminService for Settings {
    async fn get_settings(
        &self,
        request: Request<GetSettingsRequest>,
    ) -> Result<Response<UserSettings>, Status> {
        nothing_said(request.into_inner().address)
    }

    async fn foresee_settings(
        &self,
        request: Request<ForeseeSettingsRequest>,
    ) -> Result<Response<UserSettings>, Status> {
        let (address, preset) = match request.into_inner().order {
            Some(Order::Preset(order)) => (order.address, order.values),
            Some(Order::Override(order)) => (order.address, order.values),
            Some(Order::Clear(order)) => (order.address, None),
            None => return Err(Status::invalid_argument("the order is missing")),
        };
        Ok(Response::new(UserSettings {
            address,
            preset,
            ..UserSettings::default()
        }))
    }

    async fn preset_settings(
        &self,
        request: Request<PresetSettingsRequest>,
    ) -> Result<Response<UserSettings>, Status> {
        nothing_said(request.into_inner().address)
    }

    async fn override_settings(
        &self,
        request: Request<OverrideSettingsRequest>,
    ) -> Result<Response<UserSettings>, Status> {
        nothing_said(request.into_inner().address)
    }

    async fn clear_settings(
        &self,
        request: Request<ClearSettingsRequest>,
    ) -> Result<Response<UserSettings>, Status> {
        nothing_said(request.into_inner().address)
    }
}

/// Bob and three messages for him.
fn bob() -> State {
    let bob = Account {
        address: "sip:bob@example.org".to_owned(),
        aliases: Vec::new(),
        provisioned: true,
    };
    State {
        accounts: vec![bob],
        mailboxes: [("sip:bob@example.org".to_owned(), mailbox())].into(),
        ..service(3)
    }
}

#[test]
fn an_export_goes_on_behind_what_cannot_be_had() {
    let gone = Status::not_found("no such message");
    let no_content = Status::failed_precondition("its content is gone");
    let state = bob().refuse("1@store.example", gone);
    let fake = Fake::start(state.refuse("content of 2@store.example", no_content));
    let ran = restantectl("user export bob@example.org --bodies")
        .at(&fake)
        .code(1)
        .says("1@store.example: no such message")
        .says("2@store.example: its content is gone")
        .says("2 of 3 failed");
    let records = ran.records();
    let messages: Vec<_> = records
        .iter()
        .filter(|it| it["kind"] == "message")
        .collect();
    assert_eq!(messages.len(), 2);
    assert_eq!(messages[0]["message_id"], "2@store.example");
    assert!(messages[0]["content"].is_null());
    assert!(messages[1]["content"].is_object());
}

#[test]
fn an_erasure_passes_over_what_has_changed_meanwhile() {
    let changed = Status::failed_precondition("it is claimed");
    let fake = Fake::start(bob().refuse("2@store.example", changed));
    let ran = restantectl("user erase bob@example.org --yes").at(&fake);
    assert_eq!(
        ran.well().text(),
        "sip:bob@example.org: erased, with 2 messages\n"
    );
    let state = fake.state();
    assert_eq!(state.orders.len(), 2);
    assert_eq!(
        state.account_changes.last().map(|(call, _)| *call),
        Some("erase")
    );
}
