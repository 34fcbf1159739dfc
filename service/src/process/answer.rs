//! What this process answers for itself.

use std::time::Duration;

use daemon::config::{Change, Changed, Setting};
use daemon::control::Control;
use daemon::log::Directive;
use proto::v1;
use proto::v1::control_question::Question;
use proto::v1::process_answer::Answer;

use crate::convert;

/// Carries out what is asked. Reads files.
pub(super) fn answer(control: &Control, question: Question) -> Answer {
    match question {
        Question::GetLogFilters(_) => log_filter(control),
        Question::ChangeLogFilters(request) => {
            let time = request.duration.map_or(Duration::ZERO, convert::duration);
            match change(control, &request.directives, time) {
                Ok(()) => log_filter(control),
                Err(why) => Answer::Refusal(why),
            }
        }
        Question::GetConfigurations(_) => {
            let settings = control.configuration.settings();
            let keys = settings.iter().map(key).collect();
            Answer::Configuration(v1::Configuration { keys })
        }
        Question::ReloadConfigurations(_) => match control.configuration.reload() {
            Ok(changes) => Answer::Changes(v1::ConfigurationChanges {
                applied: changes.applied.into_iter().map(changed).collect(),
                waiting: changes.waiting.into_iter().map(changed).collect(),
            }),
            Err(mistakes) => Answer::Refusal(mistakes),
        },
    }
}

fn change(control: &Control, directives: &[String], time: Duration) -> Result<(), String> {
    if directives.is_empty() {
        control.log.reset();
        return Ok(());
    }
    let directives = directives.iter().map(|directive| directive.parse());
    let directives: Vec<Directive> = directives.collect::<Result<_, _>>()?;
    control.log.change(&directives, time)
}

fn log_filter(control: &Control) -> Answer {
    let holding = control.log.holding();
    let changes = holding.changes.into_iter();
    let changes = changes.map(|(directive, left)| v1::LogFilterChange {
        directive: directive.to_string(),
        left: Some(convert::proto_duration(left)),
    });
    Answer::LogFilter(v1::LogFilter {
        configured: holding.configured,
        changes: changes.collect(),
    })
}

fn key(setting: &Setting) -> v1::ConfigurationKey {
    let place = setting.is_written().then(|| setting.place.to_string());
    v1::ConfigurationKey {
        key: setting.key.clone(),
        value: setting.shown().to_owned(),
        place: place.unwrap_or_default(),
        reloadable: setting.change == Change::Reload,
    }
}

fn changed(changed: Changed) -> v1::ConfigurationChange {
    v1::ConfigurationChange {
        key: changed.key,
        from: changed.from,
        to: changed.to,
    }
}
