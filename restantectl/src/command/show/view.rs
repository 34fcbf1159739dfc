//! One message as people read it.

use super::ShowArgs;
use crate::output::record::{EventRecord, FileRecord, ListedMessage, ShownMessage};
use crate::output::table::{Column, Fields, Grid};

const TIMELINE: [Column; 5] = [
    Column::whole("AT"),
    Column::whole("EVENT"),
    Column::number("GENERATION"),
    Column::cuttable("ACTOR"),
    Column::cuttable("DETAIL"),
];

/// The fields of a message and the sections asked for, after an empty line if it is not the first.
pub(super) fn text(message: &ShownMessage, args: &ShowArgs, is_first: bool) -> String {
    let mut text = if is_first {
        String::new()
    } else {
        "\n".to_owned()
    };
    text.push_str(&fields(&message.message));
    if args.headers {
        text.push_str("\nHeaders\n");
        text.push_str(&headers(&message.message));
    }
    if args.timeline {
        text.push_str("\nTimeline\n");
        let rows: Vec<_> = message.timeline.iter().map(row).collect();
        text.push_str(&Grid::new(&TIMELINE).page(&rows));
    }
    text
}

fn fields(message: &ListedMessage) -> String {
    let content = if message.content_retained {
        "retained"
    } else {
        "gone"
    };
    let file = message.file.as_ref().map(FileRecord::line);
    let reports = message.reports_line();
    let fields = Fields::default()
        .line("Message-ID", &message.message_id)
        .line("URI", &message.message_uri)
        .line("Served user", &message.served_user)
        .optional("Sender", message.sender.as_deref())
        .optional("Group", message.group.as_deref())
        .line("State", &message.state)
        .optional("Reason", message.reason.as_deref())
        .line("Class", &message.class)
        .line("Priority", &message.priority)
        .line(
            "Body",
            &format!("{} octets, {content}", message.body_octets),
        )
        .optional("SHA-256", message.sha256.as_deref())
        .optional("File", file.as_deref())
        .optional("Reports", reports.as_deref())
        .optional("Received", message.received_at.as_deref())
        .optional("Received from", message.received_from.as_deref())
        .optional("Expires", message.expires_at.as_deref())
        .optional("Held until", message.deliver_after.as_deref())
        .optional("Settled", message.settled_at.as_deref())
        .line("Attempts", &message.attempts.to_string())
        .line("Redeliveries", &message.redeliveries.to_string())
        .line("Sequence", &message.sequence.to_string());
    let devices = message.devices.iter();
    devices
        .fold(fields, |fields, device| {
            fields.line("Device", &device.line())
        })
        .text()
}

fn headers(message: &ListedMessage) -> String {
    let present = message.headers.present();
    present
        .fold(Fields::default(), |fields, (name, value)| {
            fields.line(name, value)
        })
        .text()
}

fn row(event: &EventRecord) -> Vec<String> {
    let or_dash = |text: &Option<String>| text.clone().unwrap_or_else(|| "-".to_owned());
    vec![
        or_dash(&event.at),
        event.event.clone(),
        event
            .generation
            .map_or_else(|| "-".to_owned(), |generation| generation.to_string()),
        or_dash(&event.actor),
        event.detail.clone().unwrap_or_default(),
    ]
}
