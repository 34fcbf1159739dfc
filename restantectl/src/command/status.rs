//! `status`: the service at a glance.

use super::Session;
use crate::exit::Failure;
use crate::output::record::{EdgeRecord, StatusRecord};
use crate::output::table::{Column, Fields, Grid};

const EDGES: [Column; 3] = [
    Column::cuttable("EDGE"),
    Column::whole("ATTACHED"),
    Column::number("PUSHES"),
];

pub(crate) async fn run(session: &mut Session) -> Result<(), Failure> {
    let mut client = session.connect().await?;
    let status: StatusRecord = client.status().await?.into();
    session.output.single(&status, text)?;
    match status.ready {
        true => Ok(()),
        false => Err(Failure::NotReady),
    }
}

pub(super) fn text(status: &StatusRecord) -> String {
    let pushes = format!(
        "{} running, {} planned",
        status.pushes_running, status.pushes_planned
    );
    let fields = Fields::default()
        .line("Ready", if status.ready { "yes" } else { "no" })
        .line("Version", &status.version)
        .line("Hostname", &status.hostname)
        .optional("Started", status.started_at.as_deref())
        .line("Pushes", &pushes);
    let suspensions = status.suspensions.iter();
    let fields = suspensions.fold(fields, |fields, suspension| {
        let until = format!("{} until {}", suspension.whom(), suspension.until());
        fields.line("Suspended", &until)
    });
    let conditions = status.conditions.iter();
    let mut text = conditions
        .fold(fields, |fields, why| fields.line("Condition", why))
        .text();
    text.push('\n');
    if status.edges.is_empty() {
        text.push_str("No edge is attached: nothing is delivered.\n");
    } else {
        let rows: Vec<_> = status.edges.iter().map(row).collect();
        text.push_str(&Grid::new(&EDGES).page(&rows));
    }
    text
}

fn row(edge: &EdgeRecord) -> Vec<String> {
    vec![
        edge.name.clone(),
        edge.attached_at.clone().unwrap_or_else(|| "-".to_owned()),
        format!("{}/{}", edge.jobs, edge.capacity),
    ]
}
