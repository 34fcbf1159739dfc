//! The command line of the simulation: `docs/simulation.md`.

use std::process::ExitCode;

use clap::Parser;
use restante_simulation::history;
use restante_simulation::plant::Plant;
use restante_simulation::runner::{BROKEN, HASH, Runner, Verdict};

/// Lives through random histories of a deployment, and looks whether the promises are kept.
#[derive(Debug, Parser)]
struct Arguments {
    /// Histories.
    #[arg(long, default_value_t = 200)]
    seeds: u64,
    /// The first seed.
    #[arg(long, default_value_t = 0)]
    from: u64,
    /// A bug that is to be found.
    #[arg(long)]
    plant: Option<Plant>,
    /// Shows one history with its whole trace.
    #[arg(long)]
    replay: Option<u64>,
    /// Lives through one history in this process, which must be prepared for it.
    #[arg(long, hide = true)]
    history: Option<u64>,
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    match arguments.history {
        Some(seed) => one(seed, arguments.plant),
        None => many(&arguments),
    }
}

fn one(seed: u64, plant: Option<Plant>) -> ExitCode {
    let report = history::run(seed, plant);
    println!("{}", report.trace.join("\n"));
    println!("{HASH}{:016x}", report.hash);
    println!("{} messages accepted", report.accepted);
    for violation in &report.violations {
        println!("broken: {violation}");
    }
    exit_code(report.violations.is_empty())
}

fn many(arguments: &Arguments) -> ExitCode {
    let program = std::env::current_exe().expect("it runs");
    let runner = match Runner::new(program, arguments.plant) {
        Ok(runner) => runner,
        Err(error) => {
            eprintln!("the simulation cannot be prepared: {error}");
            return ExitCode::FAILURE;
        }
    };
    if let Some(seed) = arguments.replay {
        let verdict = runner.run(seed).expect("a process for a history");
        println!("{}", verdict.trace);
        return exit_code(verdict.is_kept);
    }
    let seeds = arguments.from..arguments.from.saturating_add(arguments.seeds);
    let mut broken = Vec::new();
    let told = |verdict: Verdict| {
        if !verdict.is_kept {
            let (seed, text) = (verdict.seed, &verdict.text);
            println!(
                "seed {seed}: broken\n{text}\nreplay: {}",
                runner.replay(seed)
            );
            broken.push(seed);
        }
        true
    };
    runner
        .run_all(seeds, told)
        .expect("processes for histories");
    println!("{} histories, broken: {broken:?}", arguments.seeds);
    exit_code(broken.is_empty())
}

fn exit_code(is_kept: bool) -> ExitCode {
    match is_kept {
        true => ExitCode::SUCCESS,
        false => ExitCode::from(BROKEN),
    }
}
