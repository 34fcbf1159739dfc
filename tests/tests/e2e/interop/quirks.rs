//! What peers do that others have stumbled over, each quirk as a test. `tests/fixtures/quirks/README.md` is their list.

mod bodies;
mod msrp;

use super::replayed::replayed;

replayed! { "quirks":
    answered_with_200,
    answered_with_202,
    content_length_0,
    cpim_from_somebody_else,
    expires_0,
    folded_fields,
    from_tag_kept_over_a_restart,
    identity_in_p_called_party_id,
    no_cpim,
    notify_refused_with_489,
    one_cseq_from_two_paths,
    register_without_allow,
    request_uri_with_an_ip_address,
    reused_call_id,
    subscription_kept_over_a_restart,
    telephone_numbers,
    to_with_an_ip_address,
}

#[test]
fn the_list_names_every_quirk_and_a_test_for_each() {
    let list = include_str!("../../../fixtures/quirks/README.md");
    let rows: Vec<_> = list
        .lines()
        .filter(|line| line.starts_with("| "))
        .skip(1)
        .collect();
    let sources = [
        include_str!("quirks.rs"),
        include_str!("quirks/bodies.rs"),
        include_str!("quirks/msrp.rs"),
    ]
    .concat();
    assert!(rows.len() >= 20, "{rows:#?}");
    let mut named = Vec::new();
    for row in rows {
        let tests: Vec<_> = row.split('`').skip(1).step_by(2).collect();
        assert!(!tests.is_empty(), "no test in {row}");
        for test in &tests {
            let is_test = sources.contains(&format!("fn {test}()")) || FILES.contains(test);
            assert!(is_test, "no test {test:?} of {row}");
        }
        named.extend(tests);
    }
    for file in FILES {
        assert!(named.contains(file), "{file} is no quirk of the list");
    }
}
