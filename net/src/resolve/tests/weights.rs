//! The shares that weights give (RFC 2782).

use rand::SeedableRng;
use rand::rngs::StdRng;

use super::super::srv::ordered;
use super::*;

const ROUNDS: u32 = 20_000;

fn record(priority: u16, weight: u16, target: &str) -> Srv {
    Srv {
        priority,
        weight,
        port: 5060,
        target: target.to_owned(),
    }
}

/// How often each target came at `place`, of one.
fn shares(records: &[Srv], place: usize) -> HashMap<String, f64> {
    let mut rng = StdRng::seed_from_u64(2782);
    let mut shares = HashMap::new();
    for _ in 0..ROUNDS {
        let target = ordered(records.to_vec(), &mut rng)
            .swap_remove(place)
            .target;
        *shares.entry(target).or_default() += 1.0 / f64::from(ROUNDS);
    }
    shares
}

fn is_near(share: f64, expected: f64) -> bool {
    (share - expected).abs() < 0.02
}

#[test]
fn requests_are_spread_by_weight() {
    // The example of RFC 2782: a new server that takes an eighth, and two that share the rest.
    let records = [
        record(0, 1, "new"),
        record(0, 3, "old"),
        record(0, 4, "fast"),
        record(1, 100, "backup"),
    ];
    let first = shares(&records, 0);
    // Uniform over 0..=8: the first record of the list also gets the draw 0.
    assert!(is_near(first["new"], 2.0 / 9.0), "{first:?}");
    assert!(is_near(first["old"], 3.0 / 9.0), "{first:?}");
    assert!(is_near(first["fast"], 4.0 / 9.0), "{first:?}");
    assert!(!first.contains_key("backup"));
    assert!(is_near(shares(&records, 3)["backup"], 1.0));
}

#[test]
fn weight_zero_has_a_small_chance_beside_others() {
    let records = [record(0, 99, "main"), record(0, 0, "spare")];
    let first = shares(&records, 0);
    assert!(first["spare"] > 0.0 && first["spare"] < 0.02, "{first:?}");
}

#[test]
fn the_rest_is_spread_again_after_each_choice() {
    let records = [
        record(0, 800, "a"),
        record(0, 100, "b"),
        record(0, 100, "c"),
    ];
    let second = shares(&records, 1);
    // 0.8 × 1/2 after "a", and 0.1 × 1/9 after "c".
    assert!(is_near(second["b"], 0.411), "{second:?}");
    assert!(is_near(second["a"], 0.178), "{second:?}");
}
