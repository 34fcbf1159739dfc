//! `settings`: what a user controls, and what an operator says instead.

use std::time::Duration;

use clap::{Args, Subcommand};
use proto::v1::foresee_settings_request::Order;
use proto::v1::{
    ClearSettingsRequest, OverrideSettingsRequest, PresetSettingsRequest, SettingValues,
};

use super::Session;
use crate::exit::Failure;
use crate::moment::parse_span;
use crate::output::record::{SettingsRecord, ValuesRecord};
use crate::output::table::{Column, Fields, Grid};
use crate::target::Address;

const VALUES: [Column; 5] = [
    Column::whole("SETTING"),
    Column::whole("ACTIVE"),
    Column::whole("OVERRIDE"),
    Column::whole("PUBLISHED"),
    Column::whole("PRESET"),
];

/// What can be done with settings.
#[derive(Debug, Subcommand)]
pub(crate) enum SettingsCommand {
    /// Show what holds for a user, and who says so
    #[command(after_help = "\
Examples:
  restantectl settings get bob@example.org
  restantectl settings get +4930123456 -o json | jq .effective.offline_delivery")]
    Get(GetArgs),
    /// Preset settings: they hold where the user's own client says nothing
    ///
    /// Replaces what was preset before.
    #[command(after_help = "\
Examples:
  restantectl settings set bob@example.org offline-delivery=off
  restantectl settings set bob@example.org offline-delivery=off --dry-run
  restantectl settings set bob@example.org message-barring=on file-transfer-barring=on")]
    Set(SetArgs),
    /// Override settings: they hold whatever the user's client says
    ///
    /// Replaces an earlier override and is kept with its --reason, which must be given. Without --for it holds until
    /// `settings clear`.
    #[command(after_help = "\
Examples:
  restantectl settings override bob@example.org message-barring=on --reason 'abuse, ticket 4711'
  restantectl settings override bob@example.org offline-delivery=off --for 2h --reason 'client loops'")]
    Override(OverrideArgs),
    /// End an override, and with --preset forget what was set too
    #[command(after_help = "\
Examples:
  restantectl settings clear bob@example.org
  restantectl settings clear bob@example.org --preset")]
    Clear(ClearArgs),
}

/// Whose settings.
#[derive(Args, Debug)]
pub(crate) struct GetArgs {
    /// The user, by address or alias
    #[arg(value_name = "ADDRESS")]
    address: Address,
}

/// Whose settings, and what holds.
#[derive(Args, Debug)]
pub(crate) struct SetArgs {
    /// The user, by address or alias
    #[arg(value_name = "ADDRESS")]
    address: Address,
    /// SETTING=on or SETTING=off; settings are session-barring, message-barring, invisibility,
    /// offline-delivery, session-history, message-history, file-transfer-barring
    #[arg(value_name = "SETTING=VALUE", required = true, value_parser = parse_value)]
    values: Vec<Value>,
    /// Show what would hold and change nothing
    #[arg(long)]
    dry_run: bool,
}

/// Whose settings, what holds, for how long and why.
#[derive(Args, Debug)]
pub(crate) struct OverrideArgs {
    #[command(flatten)]
    set: SetArgs,
    /// How long it holds, such as 30m or 7d
    #[arg(long = "for", value_name = "SPAN", value_parser = parse_span)]
    lifetime: Option<Duration>,
}

/// Whose override.
#[derive(Args, Debug)]
pub(crate) struct ClearArgs {
    /// The user, by address or alias
    #[arg(value_name = "ADDRESS")]
    address: Address,
    /// Forget what was preset by `settings set` too
    #[arg(long)]
    preset: bool,
    /// Show what would hold and change nothing
    #[arg(long)]
    dry_run: bool,
}

/// One setting and what it shall be.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Value {
    place: fn(&mut SettingValues) -> &mut Option<bool>,
    active: bool,
}

/// Where a setting stands in the contract.
type Place = fn(&mut SettingValues) -> &mut Option<bool>;

const PLACES: [(&str, Place); 7] = [
    ("session-barring", |values| &mut values.session_barring),
    ("message-barring", |values| &mut values.message_barring),
    ("invisibility", |values| &mut values.invisibility),
    ("offline-delivery", |values| &mut values.offline_delivery),
    ("session-history", |values| &mut values.session_history),
    ("message-history", |values| &mut values.message_history),
    ("file-transfer-barring", |values| {
        &mut values.file_transfer_barring
    }),
];

fn parse_value(text: &str) -> Result<Value, String> {
    let wrong = || "write SETTING=on or SETTING=off, such as offline-delivery=off".to_owned();
    let (name, value) = text.split_once('=').ok_or_else(wrong)?;
    let known = PLACES.iter().find(|(known, _)| *known == name);
    let (_, place) = known.ok_or_else(|| {
        let names = PLACES.map(|(name, _)| name).join(", ");
        format!("there is no setting {name}; there are {names}")
    })?;
    let active = match value {
        "on" | "true" => true,
        "off" | "false" => false,
        _ => return Err(wrong()),
    };
    Ok(Value {
        place: *place,
        active,
    })
}

impl SetArgs {
    fn values(&self) -> SettingValues {
        let mut values = SettingValues::default();
        for value in &self.values {
            *(value.place)(&mut values) = Some(value.active);
        }
        values
    }
}

impl SetArgs {
    fn preset(&self) -> Order {
        Order::Preset(PresetSettingsRequest {
            address: self.address.to_string(),
            values: Some(self.values()),
        })
    }

    fn overriding(&self, reason: &str, lifetime: Option<Duration>) -> Result<Order, Failure> {
        if reason.is_empty() {
            return Err(Failure::NeedsReason);
        }
        Ok(Order::Override(OverrideSettingsRequest {
            address: self.address.to_string(),
            values: Some(self.values()),
            reason: reason.to_owned(),
            lifetime: lifetime.and_then(|lifetime| lifetime.try_into().ok()),
        }))
    }
}

impl ClearArgs {
    fn order(&self) -> Order {
        Order::Clear(ClearSettingsRequest {
            address: self.address.to_string(),
            preset: self.preset,
        })
    }
}

pub(crate) async fn run(command: SettingsCommand, session: &mut Session) -> Result<(), Failure> {
    let (order, dry_run) = match &command {
        SettingsCommand::Get(args) => {
            let mut client = session.connect().await?;
            let record = SettingsRecord::from(client.settings(&args.address).await?);
            return session.output.single(&record, text);
        }
        SettingsCommand::Set(args) => (args.preset(), args.dry_run),
        SettingsCommand::Override(args) => {
            let reason = &session.globals.reason;
            (
                args.set.overriding(reason, args.lifetime)?,
                args.set.dry_run,
            )
        }
        SettingsCommand::Clear(args) => (args.order(), args.dry_run),
    };
    let mut client = session.connect().await?;
    let settings = match dry_run {
        true => client.foresee_settings(order).await?,
        false => client.order_settings(order).await?,
    };
    let record = SettingsRecord {
        dry_run,
        ..settings.into()
    };
    session.output.single(&record, text)
}

fn text(settings: &SettingsRecord) -> String {
    let mut fields = Fields::default().line("Served user", &settings.served_user);
    if settings.dry_run {
        fields = fields.line("Dry run", "nothing has changed, this would hold");
    }
    if let Some(said) = &settings.r#override {
        let until = said.until.as_deref().unwrap_or("it is cleared");
        fields = fields
            .line("Override", &format!("by {} until {until}", said.actor))
            .line("Reason", &said.reason);
    }
    for publication in &settings.publications {
        let until = publication.expires_at.as_deref().unwrap_or("?");
        let ids: Vec<&str> = publication
            .entities
            .iter()
            .map(|entity| entity.id.as_str())
            .collect();
        fields = fields.line("Published", &format!("{} until {until}", ids.join(", ")));
    }
    let overridden = settings.r#override.as_ref().map(|said| said.values);
    let rows: Vec<Vec<String>> = settings
        .effective
        .pairs()
        .into_iter()
        .enumerate()
        .map(|(place, (name, active))| {
            let of = |values: &ValuesRecord| values.pairs()[place].1;
            let published = settings
                .publications
                .iter()
                .rev()
                .flat_map(|publication| publication.entities.iter().rev())
                .find_map(|entity| of(&entity.values));
            vec![
                name.to_owned(),
                word(active),
                word(overridden.as_ref().and_then(of)),
                word(published),
                word(of(&settings.preset)),
            ]
        })
        .collect();
    let mut text = fields.text();
    text.push('\n');
    text.push_str(&Grid::new(&VALUES).page(&rows));
    text
}

fn word(active: Option<bool>) -> String {
    match active {
        Some(true) => "on",
        Some(false) => "off",
        None => "-",
    }
    .to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_setting_can_be_named() {
        for (name, _) in PLACES {
            let on = parse_value(&format!("{name}=on")).expect("a setting");
            let mut values = SettingValues::default();
            *(on.place)(&mut values) = Some(on.active);
            let record = ValuesRecord::from(values);
            let said: Vec<_> = record
                .pairs()
                .into_iter()
                .filter(|(_, active)| active.is_some())
                .collect();
            assert_eq!(said, [(name, Some(true))]);
        }
        for text in ["", "offline-delivery", "offline-delivery=maybe", "other=on"] {
            assert!(parse_value(text).is_err(), "{text}");
        }
    }
}
