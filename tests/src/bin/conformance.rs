//! `make conformance`: runs the tests that are named after rows of the checklist, and writes
//! `docs/conformance.md`, or runs them against a deployment that is there and says what came of it.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};

use clap::{Parser, ValueEnum};
use restante_tests::conformance::{
    CHECKLIST, Checklist, DOCUMENT, Outcome, Record, Test, Tier, all_tests, document, outcomes,
    report, root,
};
use restante_tests::{date, target};

/// Where cargo-nextest writes its record of the profile of the same name, from the root of the repository.
const JUNIT: &str = "target/nextest/conformance/junit.xml";

#[derive(Parser)]
#[command(about = "Run the tests of the conformance checklist and write what came of them")]
struct Arguments {
    /// Which tests
    #[arg(long, value_enum, default_value = "ci")]
    tier: TierName,
    /// Only tests whose names hold this; the verdicts of the others stay
    #[arg(long)]
    only: Option<String>,
    /// Run against the deployment that has this configuration; the document stays as it is
    #[arg(long, conflicts_with_all = ["tier", "document"])]
    target: Option<PathBuf>,
    /// Run nothing: write the document with the verdicts it has
    #[arg(long)]
    document: bool,
}

#[derive(Clone, Copy, ValueEnum)]
enum TierName {
    Ci,
    Long,
}

impl From<TierName> for Tier {
    fn from(name: TierName) -> Self {
        match name {
            TierName::Ci => Self::Ci,
            TierName::Long => Self::Long,
        }
    }
}

fn main() -> ExitCode {
    match run(&Arguments::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(why) => {
            eprintln!("conformance: {why}");
            ExitCode::FAILURE
        }
    }
}

fn run(arguments: &Arguments) -> Result<(), String> {
    let checklist = read(&root().join(CHECKLIST))?;
    let checklist = Checklist::read(&checklist).map_err(|error| format!("{CHECKLIST}: {error}"))?;
    let tests = all_tests();
    let offences = checklist.offences(&tests);
    if !offences.is_empty() {
        return Err(format!("{CHECKLIST}:\n  {}", offences.join("\n  ")));
    }
    let outcomes = match arguments.document {
        true => BTreeMap::new(),
        false => run_tests(&tests, arguments)?,
    };
    if arguments.target.is_some() {
        let only = arguments.only.as_deref().unwrap_or_default();
        println!("{}", report(&tests, &outcomes, only));
        return all_passed(&outcomes);
    }
    let path = root().join(DOCUMENT);
    let mut record = Record::of(&read(&path)?);
    let whole = arguments.only.is_none() && !arguments.document;
    let whole = whole.then(|| (arguments.tier.into(), date::now()));
    record.add(&outcomes, &tests, whole);
    let text = document(&checklist, &tests, &record);
    std::fs::write(&path, text).map_err(|error| format!("{DOCUMENT}: {error}"))?;
    println!("wrote {DOCUMENT}");
    all_passed(&outcomes)
}

fn all_passed(outcomes: &BTreeMap<String, Outcome>) -> Result<(), String> {
    let failed = outcomes
        .iter()
        .filter(|(_, outcome)| **outcome == Outcome::Failed);
    let failed: Vec<&str> = failed.map(|(function, _)| function.as_str()).collect();
    match failed.as_slice() {
        [] => Ok(()),
        failed => Err(format!("failed:\n  {}", failed.join("\n  "))),
    }
}

fn read(path: &Path) -> Result<String, String> {
    std::fs::read_to_string(path).map_err(|error| format!("{}: {error}", path.display()))
}

/// Runs what is asked for with cargo-nextest; what came of each test.
fn run_tests(tests: &[Test], arguments: &Arguments) -> Result<BTreeMap<String, Outcome>, String> {
    let junit = root().join(JUNIT);
    // What an earlier run left must not be taken for the result of this one.
    if junit.exists() {
        std::fs::remove_file(&junit).map_err(|error| format!("{}: {error}", junit.display()))?;
    }
    let tier = Tier::from(arguments.tier);
    let folders: BTreeSet<&str> = tests
        .iter()
        .filter(|test| test.tier == tier)
        .map(Test::folder)
        .filter(|folder| arguments.target.is_none() || *folder == "tests")
        .collect();
    let packages: Vec<String> = folders
        .iter()
        .map(|folder| format!("package(=restante-{folder})"))
        .collect();
    let mut filter = format!("test(/(^|::)ct_/) & ({})", packages.join(" | "));
    if let Some(only) = &arguments.only {
        filter += &format!(" & test({only})");
    }
    let mut nextest = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    // What cargo said to this program is not for the build of others: some would be built anew for it.
    for (name, _) in std::env::vars_os() {
        let name_of = name.to_string_lossy();
        if name_of.starts_with("CARGO_PKG_") || name_of.starts_with("CARGO_MANIFEST_") {
            nextest.env_remove(&name);
        }
    }
    nextest
        .current_dir(root())
        // Of the whole workspace, as it is built for `make test`: alone, a package has other features.
        .args(["nextest", "run", "--locked", "--workspace"])
        .args(["--profile", "conformance", "--filterset", &filter]);
    if tier == Tier::Long {
        nextest.args(["--run-ignored", "only"]);
    }
    if let Some(file) = &arguments.target {
        let file = file.canonicalize();
        let file = file.map_err(|error| format!("the target's configuration: {error}"))?;
        // There is one core, and each test is it.
        nextest
            .args(["--test-threads", "1"])
            .env(target::VARIABLE, file);
    }
    let status = nextest.status();
    let status = status.map_err(|error| format!("cargo nextest: {error}"))?;
    if !junit.exists() {
        return Err(format!(
            "cargo nextest ended with {status} and ran nothing; cargo-nextest is installed with \
             `cargo install cargo-nextest --locked`"
        ));
    }
    outcomes(&read(&junit)?).map_err(|error| format!("{}: {error}", junit.display()))
}
