//! `restante storage check` and `restante storage restore`.

use daemon::exit::{Code, Fatal};
use service::maintenance::{self, Checked};

use crate::args::StorageCommand;
use crate::config::{Config, Loaded};

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
            name_folder(&config);
            let checked = runtime.block_on(maintenance::check(&config.service, restate))?;
            judge(&checked)
        }
        StorageCommand::Restore {
            from,
            check,
            config,
        } => {
            let Loaded { config, .. } = Config::load(config.as_deref(), false)?;
            name_folder(&config);
            if let Some(from) = from {
                for sentence in maintenance::put_in_place(&config.service, &from)? {
                    println!("{sentence}");
                }
            }
            let checked = runtime.block_on(maintenance::restore(&config.service, check))?;
            println!("the copy in the data folder is the store now; its Message-IDs have jumped");
            checked.map_or(Ok(()), |checked| judge(&checked))
        }
    }
}

/// Prints which folder it is about: another configuration has another one.
fn name_folder(config: &Config) {
    let folder = maintenance::data_folder(&config.service);
    println!("data folder {}", folder.display());
}

/// Prints what was found.
fn judge(checked: &Checked) -> Result<(), Fatal> {
    for line in &checked.lines {
        println!("{line}");
    }
    if checked.is_sound {
        println!("the store is sound");
        return Ok(());
    }
    let sentence = "the store is not sound; wrong counters can be mended with `restante storage check --restate`, for \
                    the rest put a backup there";
    Err(Fatal::new(Code::Io, sentence))
}
