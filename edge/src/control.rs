//! Answers what operators ask of an edge.

use std::future::pending;

use daemon::config;
use daemon::control::Control;
use daemon::log::Directive;
use storage_client::StorageClient;
use storage_client::control::{Answer, Changed, Key, Question};

/// Answers as long as the edge serves, if it can be asked at all. Never ends.
pub async fn attend(storage: &StorageClient, control: Option<Control>) {
    match control {
        Some(control) => {
            let answering = storage.answer_operators(move |question| answer(&control, question));
            answering.await;
        }
        None => pending().await,
    }
}

/// What the process says.
fn answer(control: &Control, question: Question) -> Answer {
    match question {
        Question::LogFilter => log_filter(control),
        Question::ChangeLogFilter(directives, _) if directives.is_empty() => {
            control.log.reset();
            log_filter(control)
        }
        Question::ChangeLogFilter(directives, time) => {
            let directives: Result<Vec<Directive>, _> = directives
                .iter()
                .map(|directive| directive.parse())
                .collect();
            match directives.and_then(|directives| control.log.change(&directives, time)) {
                Ok(()) => log_filter(control),
                Err(why) => Answer::Refused(why),
            }
        }
        Question::Configuration => {
            let settings = control.configuration.settings();
            Answer::Configuration(settings.iter().map(key).collect())
        }
        Question::Reload => match control.configuration.reload() {
            Ok(changes) => Answer::Changes(all(changes.applied), all(changes.waiting)),
            Err(mistakes) => Answer::Refused(mistakes),
        },
    }
}

fn log_filter(control: &Control) -> Answer {
    let holding = control.log.holding();
    let changes = holding.changes.into_iter();
    let changes = changes.map(|(directive, left)| (directive.to_string(), left));
    Answer::LogFilter(holding.configured, changes.collect())
}

fn key(setting: &config::Setting) -> Key {
    let place = setting.is_written().then(|| setting.place.to_string());
    Key {
        key: setting.key.clone(),
        value: setting.shown().to_owned(),
        place: place.unwrap_or_default(),
        reloadable: setting.change == config::Change::Reload,
    }
}

fn all(changes: Vec<config::Changed>) -> Vec<Changed> {
    let changes = changes.into_iter();
    let changes = changes.map(|config::Changed { key, from, to }| Changed { key, from, to });
    changes.collect()
}
