//! Random histories: RocksDB, reopened in between, answers as the in-memory model does.

mod history;
mod player;

use std::time::Duration;

use proptest::prelude::*;
use proptest::test_runner::TestCaseError;

use self::history::{Step, step};
use self::player::Player;
use crate::config::DeliveryScope;
use crate::memory::tests::InMemory;
use crate::rocks::tests::OnDisk;

/// Devices unseen for so long are forgotten.
const DAY: Duration = Duration::from_secs(86_400);

proptest! {
    #![proptest_config(ProptestConfig {
        cases: 32,
        failure_persistence: None,
        ..ProptestConfig::default()
    })]

    #[test]
    fn both_engines_tell_the_same_story(
        steps in proptest::collection::vec(step(), 1..120),
        is_for_all in any::<bool>(),
    ) {
        let scope = match is_for_all {
            true => DeliveryScope::All { forget_after: DAY },
            false => DeliveryScope::First,
        };
        let runtime = tokio::runtime::Builder::new_current_thread().build();
        let runtime = runtime.expect("a runtime needs nothing");
        runtime.block_on(compare(scope, steps))?;
    }
}

async fn compare(scope: DeliveryScope, steps: Vec<Step>) -> Result<(), TestCaseError> {
    let mut model = Player::<InMemory>::new(scope);
    let mut engine = Player::<OnDisk>::new(scope);
    for (place, step) in steps.iter().enumerate() {
        let expected = model.play(step).await;
        let answer = engine.play(step).await;
        prop_assert_eq!(&answer, &expected, "step {}: {:?}", place, step);
        (model, engine) = match step {
            Step::Reopen => (model.reopen().await, engine.reopen().await),
            Step::Crash => (model.crash().await, engine.crash().await),
            _ => (model, engine),
        };
    }
    let expected = model.everything().await;
    prop_assert_eq!(engine.everything().await, expected);
    engine.forget_uploads().await;
    let report = engine.store().check(false).await;
    let report = report.map_err(|e| TestCaseError::fail(e.to_string()))?;
    prop_assert!(report.is_sound(), "{:?}", report.findings);
    Ok(())
}
