//! Random histories keep the promises, and planted bugs break them.

use restante_simulation::plant::Plant;
use restante_simulation::runner::{Runner, Verdict};

/// Histories of every run of the tests; `restante-simulation --seeds` runs more.
const HISTORIES: u64 = 200;

/// Histories in which a planted bug is found at the latest.
const FOUND_WITHIN: u64 = 200;

fn runner(plant: Option<Plant>) -> Runner {
    Runner::new(env!("CARGO_BIN_EXE_restante-simulation"), plant).expect("a C compiler")
}

#[test]
fn random_histories_keep_the_promises() {
    let runner = runner(None);
    let mut broken = Vec::new();
    let told = |verdict: Verdict| {
        if !verdict.is_kept {
            let (seed, text) = (verdict.seed, &verdict.text);
            broken.push(format!(
                "seed {seed}:\n{text}\nreplay: {}",
                runner.replay(seed)
            ));
        }
        true
    };
    runner.run_all(0..HISTORIES, told).expect("processes");
    assert!(broken.is_empty(), "{}", broken.join("\n\n"));
}

#[test]
fn a_seed_has_one_history() {
    let runner = runner(None);
    let mut hashes = Vec::new();
    for seed in 0..5 {
        let first = runner.run(seed).expect("a process");
        let second = runner.run(seed).expect("a process");
        assert_eq!(first, second);
        assert!(!first.hash.is_empty(), "{}", first.text);
        hashes.push(first.hash);
    }
    hashes.dedup();
    assert_eq!(hashes.len(), 5, "different seeds have different histories");
}

/// The promises that were broken in the first history in which the bug was found.
fn found(plant: Plant) -> String {
    let mut found = None;
    let told = |verdict: Verdict| {
        if !verdict.is_kept {
            found.get_or_insert(verdict.text);
        }
        found.is_none()
    };
    runner(Some(plant))
        .run_all(0..FOUND_WITHIN, told)
        .expect("processes");
    found.unwrap_or_else(|| panic!("{plant:?} was not found in {FOUND_WITHIN} histories"))
}

#[test]
fn a_skipped_sync_is_found() {
    let text = found(Plant::SyncSkipped);
    // What was lost was a message, or the word that it has come.
    let promises = ["broken: P1: ", "broken: P2: ", "broken: P4: "];
    assert!(
        promises.iter().any(|broken| text.contains(broken)),
        "{text}"
    );
}

#[test]
fn a_late_acknowledgement_that_settles_is_found() {
    let text = found(Plant::LateAcknowledgement);
    assert!(text.contains("broken: P4: "), "{text}");
}

#[test]
fn an_acknowledgement_that_is_forgotten_is_found() {
    let text = found(Plant::ForgottenAcknowledgement);
    assert!(text.contains("broken: P4: "), "{text}");
}

#[test]
fn a_message_that_counts_as_delivered_when_it_is_taken_is_found() {
    let text = found(Plant::DeliveredWhenTaken);
    assert!(text.contains("broken: P2: "), "{text}");
}

#[test]
fn a_copy_that_counts_as_sent_when_it_is_claimed_is_found() {
    let text = found(Plant::CopiedWhenClaimed);
    assert!(text.contains("broken: P2: "), "{text}");
}

#[test]
fn a_life_that_is_cut_short_is_found() {
    let text = found(Plant::ShortenedLife);
    assert!(text.contains("is given"), "{text}");
}

#[test]
fn a_lost_wake_up_is_found() {
    let text = found(Plant::LostWakeUp);
    assert!(text.contains("broken: DLV-17: "), "{text}");
}
