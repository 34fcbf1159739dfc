//! `restante storage check` and `restante storage restore`.

use daemon::exit::{Code, Fatal};
use service::maintenance::{self, Checked};

use crate::args::StorageCommand;
use crate::config::{Config, Loaded};
use crate::print::print;

/// Does it and prints what was found.
///
/// # Errors
/// [`Code::Io`] if the store cannot be opened, or something in it does not agree.
pub(crate) fn run(command: StorageCommand) -> Result<(), Fatal> {
    let runtime = tokio::runtime::Runtime::new()
        .map_err(|error| Fatal::new(Code::Bug, format!("no runtime: {error}")))?;
    match command {
        StorageCommand::Check { config, restate } => {
            let Loaded { config, .. } = Config::load(config.as_deref(), false)?;
            name_folder(&config)?;
            let checked = runtime.block_on(maintenance::check(&config.service, restate))?;
            judge(&checked)
        }
        StorageCommand::Restore {
            from,
            check,
            config,
        } => {
            let Loaded { config, .. } = Config::load(config.as_deref(), false)?;
            name_folder(&config)?;
            let placed = from.map(|from| maintenance::put_in_place(&config.service, &from));
            // What is begun is finished, whether anybody reads of it or not.
            let told = match placed.transpose()? {
                Some(sentences) => print(lines(&sentences)),
                None => Ok(()),
            };
            let checked = runtime.block_on(maintenance::restore(&config.service, check))?;
            let restored = print(
                "the copy in the data folder is the store now; its Message-IDs have jumped\n",
            );
            let judged = checked.map_or(Ok(()), |checked| judge(&checked));
            judged.and(told).and(restored)
        }
    }
}

/// Prints which folder it is about: another configuration has another one.
fn name_folder(config: &Config) -> Result<(), Fatal> {
    let folder = maintenance::data_folder(&config.service);
    print(format!("data folder {}\n", folder.display()))
}

/// Sentences as a text, each in a line of its own.
fn lines(sentences: &[String]) -> String {
    let lines = sentences.iter().map(|sentence| format!("{sentence}\n"));
    lines.collect()
}

/// Prints what was found.
fn judge(checked: &Checked) -> Result<(), Fatal> {
    let mut text = lines(&checked.lines);
    if checked.is_sound {
        text.push_str("the store is sound\n");
        return print(text);
    }
    // That it is not is worth more than that this cannot be written.
    let _ = print(text);
    let sentence = "the store is not sound; wrong counters can be mended with `restante storage check --restate`, for \
                    the rest put a backup there";
    Err(Fatal::new(Code::Io, sentence))
}
