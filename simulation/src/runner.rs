//! Runs histories, each in a process of its own: what one leaves behind changes no other, and chance and time of
//! the operating system are taken away from it (`shim/determinism.c`).

use std::io;
use std::num::NonZero;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::{Mutex, PoisonError};
use std::thread::available_parallelism;

use clap::ValueEnum as _;
use tempfile::TempDir;

use crate::plant::Plant;

/// Exit code of a history in which a promise was broken.
pub const BROKEN: u8 = 1;

/// What is in the environment of the process of a history.
pub const SEED: &str = "SIMULATION_SEED";

/// Begins the line with the hash of the trace.
pub const HASH: &str = "hash ";

/// Lines of the trace that are shown of a history that failed; the file has all.
const SHOWN: usize = 60;

/// Starts histories.
#[derive(Debug)]
pub struct Runner {
    program: PathBuf,
    folder: TempDir,
    plant: Option<Plant>,
}

/// How a history ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Verdict {
    /// Its seed.
    pub seed: u64,
    /// Whether all promises were kept.
    pub is_kept: bool,
    /// The same for two runs of one seed; empty if the history did not come to its end.
    pub hash: String,
    /// What was said about it: the end of the trace, promises broken.
    pub text: String,
    /// The whole trace.
    pub trace: String,
}

impl Runner {
    /// `program` is this crate's binary.
    ///
    /// # Errors
    /// If the shim cannot be compiled, or there is no place for it.
    pub fn new(program: impl Into<PathBuf>, plant: Option<Plant>) -> io::Result<Self> {
        let folder = tempfile::tempdir()?;
        compile(&folder.path().join("determinism.so"))?;
        Ok(Self {
            program: program.into(),
            folder,
            plant,
        })
    }

    /// Lives through one history.
    ///
    /// # Errors
    /// If its process cannot be started.
    pub fn run(&self, seed: u64) -> io::Result<Verdict> {
        let mut command = Command::new(&self.program);
        command.args(["--history", &seed.to_string()]);
        command.args(self.planted());
        command.env(SEED, seed.to_string());
        command.env("LD_PRELOAD", self.folder.path().join("determinism.so"));
        let Output {
            status,
            stdout,
            stderr,
        } = command.output()?;
        let said = String::from_utf8_lossy(&stdout).into_owned();
        let hash = said
            .lines()
            .find_map(|line| line.strip_prefix(HASH))
            .unwrap_or_default()
            .to_owned();
        let lines: Vec<_> = said.lines().collect();
        let shown = lines.len().saturating_sub(SHOWN);
        let mut text = lines[shown..].join("\n");
        text.push_str(&String::from_utf8_lossy(&stderr));
        Ok(Verdict {
            seed,
            is_kept: status.success(),
            hash,
            text,
            trace: said,
        })
    }

    /// Lives through many histories, several at a time, and tells of each in the order in which they end; no more are
    /// begun once `told` returns false.
    ///
    /// # Errors
    /// The first failure to start a process.
    pub fn run_all(
        &self,
        seeds: Range<u64>,
        told: impl FnMut(Verdict) -> bool + Send,
    ) -> io::Result<()> {
        let next = Mutex::new(seeds);
        let told = Mutex::new((told, true));
        let next_seed = || {
            let goes_on = told.lock().unwrap_or_else(PoisonError::into_inner).1;
            let mut next = next.lock().unwrap_or_else(PoisonError::into_inner);
            next.next().filter(|_| goes_on)
        };
        let work = || -> io::Result<()> {
            while let Some(seed) = next_seed() {
                let verdict = self.run(seed)?;
                let mut told = told.lock().unwrap_or_else(PoisonError::into_inner);
                told.1 &= (told.0)(verdict);
            }
            Ok(())
        };
        std::thread::scope(|scope| {
            let workers = available_parallelism().map_or(1, NonZero::get);
            let workers: Vec<_> = (0..workers).map(|_| scope.spawn(work)).collect();
            let ended = workers.into_iter().map(|it| it.join().expect("no panic"));
            ended.collect()
        })
    }

    fn planted(&self) -> Vec<String> {
        let name = self.plant.and_then(|plant| plant.to_possible_value());
        let name = name.map(|value| value.get_name().to_owned());
        name.map_or_else(Vec::new, |name| vec!["--plant".to_owned(), name])
    }

    /// How to see that history again.
    #[must_use]
    pub fn replay(&self, seed: u64) -> String {
        let planted = self.planted().join(" ");
        format!("cargo run -p restante-simulation -- --replay {seed} {planted}")
    }
}

fn compile(library: &Path) -> io::Result<()> {
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("shim/determinism.c");
    let compiler = Command::new("cc")
        .args(["-shared", "-fPIC", "-O2", "-Wall", "-Werror", "-o"])
        .args([library, &source])
        .output()?;
    match compiler.status.success() {
        true => Ok(()),
        false => Err(io::Error::other(
            String::from_utf8_lossy(&compiler.stderr).into_owned(),
        )),
    }
}
