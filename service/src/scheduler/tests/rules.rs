//! Each rule of planning as one story with its own clock.

use storage::model::ClaimToken;

use super::super::machine::Planned;
use super::*;

const BOB: MailboxId = MailboxId(1);
const CAROL: MailboxId = MailboxId(2);

#[test]
fn a_registration_is_followed_by_a_push_after_the_delay() {
    let mut scene = Scene::with_edge();
    scene.machine.registered(scene.now, BOB, true);
    assert_eq!(scene.machine.poll(), None);
    assert_eq!(scene.machine.next_timeout(), Some(scene.now + SECOND));
    scene.pass(SECOND);
    scene.start_of(BOB);
}

#[test]
fn a_registration_with_nothing_stored_does_nothing() {
    let mut scene = Scene::with_edge();
    scene.machine.registered(scene.now, BOB, false);
    assert_eq!(scene.machine.next_timeout(), None);
}

#[test]
fn registrations_in_a_row_are_one_push() {
    let mut scene = Scene::with_edge();
    for _ in 0..3 {
        scene.machine.registered(scene.now, BOB, true);
        scene.pass(SECOND / 20);
    }
    scene.pass(SECOND);
    let generation = scene.run(BOB);
    scene.release(BOB, generation, Ending::Completed);
    scene.pass(100 * SECOND);
    assert_eq!(scene.machine.poll(), None);
}

#[test]
fn a_trigger_during_a_push_looks_again_after_it() {
    let mut scene = Scene::with_edge();
    scene.machine.ordered(scene.now, BOB, false);
    let generation = scene.run(BOB);
    scene.machine.deposited(scene.now, BOB);
    assert_eq!(scene.machine.poll(), None);
    scene.release(BOB, generation, Ending::Completed);
    assert_eq!(scene.machine.poll(), None);
    scene.pass(5 * SECOND);
    scene.start_of(BOB);
}

#[test]
fn a_trigger_while_the_claim_finds_nothing_looks_again() {
    let mut scene = Scene::with_edge();
    scene.machine.ordered(scene.now, BOB, false);
    scene.start_of(BOB);
    scene.machine.registered(scene.now, BOB, true);
    scene.machine.started(scene.now, BOB, Started::Nothing);
    scene.pass(SECOND);
    scene.start_of(BOB);
}

#[test]
fn deposits_are_no_trigger_when_switched_off() {
    let mut off = policy();
    off.on_deposit = None;
    let mut scene = Scene::new(off);
    scene.machine.edge_attached(edge("a"), 1);
    scene.machine.deposited(scene.now, BOB);
    assert_eq!(scene.machine.next_timeout(), None);
}

#[test]
fn tries_are_spent_with_growing_pauses_and_then_only_a_registration_helps() {
    let mut scene = Scene::with_edge();
    scene.machine.ordered(scene.now, BOB, false);
    for pause in policy().backoff {
        let generation = scene.run(BOB);
        scene.release(BOB, generation, Ending::Unavailable);
        scene.pass(pause - SECOND);
        assert_eq!(scene.machine.poll(), None, "before {pause:?}");
        scene.pass(pause.mul_f64(0.2) + SECOND);
    }
    let generation = scene.run(BOB);
    scene.release(BOB, generation, Ending::Unavailable);
    scene.machine.deposited(scene.now, BOB);
    scene.pass(3_600 * SECOND);
    assert_eq!(scene.machine.poll(), None);
    scene.machine.registered(scene.now, BOB, true);
    scene.pass(SECOND);
    let generation = scene.run(BOB);
    scene.release(BOB, generation, Ending::Unavailable);
    scene.pass(36 * SECOND);
    scene.start_of(BOB);
}

#[test]
fn a_registration_during_a_failing_push_overrides_the_back_off() {
    let mut scene = Scene::with_edge();
    scene.machine.ordered(scene.now, BOB, false);
    let generation = scene.run(BOB);
    scene.machine.registered(scene.now, BOB, true);
    scene.release(BOB, generation, Ending::Rejected);
    scene.pass(SECOND);
    scene.start_of(BOB);
}

#[test]
fn a_deposit_within_the_back_off_does_not_shorten_it() {
    let mut scene = Scene::with_edge();
    scene.machine.ordered(scene.now, BOB, false);
    let generation = scene.run(BOB);
    scene.release(BOB, generation, Ending::Unavailable);
    scene.machine.deposited(scene.now, BOB);
    scene.pass(29 * SECOND);
    assert_eq!(scene.machine.poll(), None);
}

#[test]
fn retry_after_of_a_busy_client_is_honoured() {
    let mut scene = Scene::with_edge();
    scene.machine.ordered(scene.now, BOB, false);
    let generation = scene.run(BOB);
    let busy = Outcome {
        retry_after: Some(200 * SECOND),
        ..outcome(Ending::Busy)
    };
    scene
        .machine
        .released(scene.now, BOB, generation, Some(&busy));
    scene.pass(199 * SECOND);
    assert_eq!(scene.machine.poll(), None);
    scene.pass(42 * SECOND);
    scene.start_of(BOB);
}

#[test]
fn a_hop_that_is_down_pauses_all_and_spends_no_try() {
    let mut scene = Scene::with_edge();
    scene.machine.ordered(scene.now, BOB, false);
    for _ in 0..5 {
        let generation = scene.run(BOB);
        scene.machine.ordered(scene.now, CAROL, false);
        scene.release(BOB, generation, Ending::HopDown);
        scene.pass(9 * SECOND);
        assert_eq!(scene.machine.poll(), None);
        scene.pass(SECOND);
        let generation = scene.run(CAROL);
        scene.release(CAROL, generation, Ending::Completed);
    }
    scene.start_of(BOB);
}

#[test]
fn a_hop_that_is_down_pauses_the_edge_whose_it_is() {
    let mut scene = Scene::with_edge();
    scene.machine.edge_attached(edge("b"), 100);
    scene.machine.ordered(scene.now, BOB, false);
    assert_eq!(scene.start_of(BOB).edge, edge("a"));
    let generation = scene.grant(BOB);
    scene.release(BOB, generation, Ending::HopDown);
    // At once by the other one, which gets all there is meanwhile.
    assert_eq!(scene.start_of(BOB).edge, edge("b"));
    scene.machine.ordered(scene.now, CAROL, false);
    assert_eq!(scene.start_of(CAROL).edge, edge("b"));
}

#[test]
fn an_edge_says_when_its_hop_is_down_and_when_it_is_back() {
    let mut scene = Scene::with_edge();
    let long = Some(3_600 * SECOND);
    scene.machine.hop_reported(scene.now, &edge("a"), long);
    scene.machine.ordered(scene.now, BOB, false);
    assert_eq!(scene.machine.poll(), None);
    scene.machine.hop_reported(scene.now, &edge("a"), None);
    scene.run(BOB);
    scene.machine.hop_reported(scene.now, &edge("a"), long);
    scene.machine.ordered(scene.now, CAROL, false);
    scene.pass(59 * SECOND);
    assert_eq!(scene.machine.poll(), None);
    // It is asked now and then all the same.
    scene.pass(SECOND);
    scene.start_of(CAROL);
}

#[test]
fn an_edge_that_vanishes_loses_its_job_with_the_lease() {
    let mut scene = Scene::with_edge();
    scene.machine.ordered(scene.now, BOB, false);
    assert_eq!(scene.start_of(BOB).edge, edge("a"));
    let generation = scene.grant(BOB);
    scene.pass(30 * SECOND);
    scene
        .machine
        .renewed(scene.now, BOB, generation, &edge("a"));
    scene.machine.edge_stopped(&edge("a"));
    scene.machine.edge_attached(edge("b"), 1);
    scene.pass(59 * SECOND);
    assert_eq!(scene.machine.poll(), None);
    scene.pass(SECOND);
    assert_eq!(scene.start_of(BOB).edge, edge("b"));
    scene.release(BOB, generation, Ending::Completed);
    assert_eq!(scene.machine.sessions(), 1, "a stale release ends nothing");
}

#[test]
fn an_edge_that_stands_still_does_not_get_the_job_back_at_once() {
    let mut scene = Scene::with_edge();
    scene.machine.ordered(scene.now, BOB, false);
    assert_eq!(scene.start_of(BOB).edge, edge("a"));
    scene.grant(BOB);
    scene.machine.edge_attached(edge("b"), 1);
    scene.pass(60 * SECOND);
    assert_eq!(scene.start_of(BOB).edge, edge("b"));
}

#[test]
fn a_draining_edge_hands_over_at_once() {
    let mut scene = Scene::with_edge();
    scene.machine.ordered(scene.now, BOB, false);
    let generation = scene.run(BOB);
    scene.machine.edge_attached(edge("b"), 1);
    scene.release(BOB, generation, Ending::EdgeDraining);
    assert_eq!(scene.start_of(BOB).edge, edge("b"));
}

#[test]
fn an_edge_that_lost_claim_or_store_costs_no_try_and_goes_on_to_get_jobs() {
    let mut scene = Scene::with_edge();
    scene.machine.ordered(scene.now, BOB, false);
    for _ in 0..=policy().backoff.len() {
        let generation = scene.run(BOB);
        scene.release(BOB, generation, Ending::Interrupted);
        assert_eq!(scene.machine.poll(), None, "a pause comes first");
        scene.pass(policy().busy_pause());
    }
    assert_eq!(scene.start_of(BOB).edge, edge("a"));
}

#[test]
fn a_user_with_a_connection_is_delivered_by_the_edge_that_holds_it() {
    let mut scene = Scene::with_edge();
    scene.machine.edge_attached(edge("home"), 1);
    scene.machine.ordered(scene.now, BOB, false);
    assert_eq!(scene.start_of(BOB).edge, edge("a"));
    let elsewhere = Started::Elsewhere(edge("home"));
    scene.machine.started(scene.now, BOB, elsewhere);
    assert_eq!(scene.start_of(BOB).edge, edge("home"));
}

#[test]
fn no_more_jobs_run_than_edges_have_room_for() {
    let mut scene = Scene::new(policy());
    scene.machine.edge_attached(edge("a"), 2);
    for mailbox in 1..=5 {
        scene.machine.ordered(scene.now, MailboxId(mailbox), false);
    }
    let first = scene.run(MailboxId(1));
    scene.run(MailboxId(2));
    assert_eq!(scene.machine.poll(), None);
    assert_eq!(scene.machine.planned(), 3);
    scene.release(MailboxId(1), first, Ending::Completed);
    scene.start_of(MailboxId(3));
}

#[test]
fn an_order_joins_a_running_push() {
    let mut scene = Scene::with_edge();
    let order = |scene: &mut Scene| scene.machine.ordered(scene.now, BOB, false);
    assert_eq!(order(&mut scene), Planned::Started);
    assert_eq!(order(&mut scene), Planned::Started);
    scene.run(BOB);
    assert_eq!(order(&mut scene), Planned::Joined);
}

#[test]
fn a_claim_from_before_our_start_is_taken_up_while_its_lease_may_live() {
    let mut scene = Scene::with_edge();
    scene.machine.found(scene.now, BOB);
    scene
        .machine
        .renewed(scene.now, BOB, Generation(9), &edge("a"));
    scene.pass(SECOND);
    assert_eq!(scene.machine.poll(), None);
    scene.release(BOB, Generation(9), Ending::Completed);
    scene.pass(60 * SECOND);
    scene
        .machine
        .renewed(scene.now, CAROL, Generation(9), &edge("a"));
    assert_eq!(scene.machine.sessions(), 0, "too late to be from before");
}

#[test]
fn dlv_04_a_registration_reminds_once_and_a_deposit_does_not() {
    let mut scene = Scene::with_edge();
    scene.machine.deposited(scene.now, BOB);
    scene.pass(5 * SECOND);
    scene.start_of(BOB);
    assert!(!scene.machine.is_user_back(BOB));
    scene.machine.started(scene.now, BOB, Started::SwitchedOff);
    scene.machine.registered(scene.now, BOB, true);
    scene.pass(SECOND);
    scene.start_of(BOB);
    assert!(scene.machine.is_user_back(BOB));
    assert!(!scene.machine.is_user_back(BOB));
    scene.machine.started(scene.now, BOB, Started::SwitchedOff);
    scene.pass(100 * SECOND);
    assert_eq!(scene.machine.poll(), None);
}

#[test]
fn what_is_planned_outlives_a_claim_that_is_taken_up() {
    let mut scene = Scene::with_edge();
    scene.machine.registered(scene.now, BOB, true);
    scene
        .machine
        .renewed(scene.now, BOB, Generation(9), &edge("a"));
    scene.release(BOB, Generation(9), Ending::Completed);
    scene.pass(5 * SECOND);
    scene.start_of(BOB);
}

#[test]
fn a_registration_outlives_the_failure_of_a_claim_that_is_taken_up() {
    let mut scene = Scene::with_edge();
    scene.machine.registered(scene.now, BOB, true);
    scene
        .machine
        .renewed(scene.now, BOB, Generation(9), &edge("a"));
    scene.release(BOB, Generation(9), Ending::Broken);
    scene.pass(5 * SECOND);
    scene.start_of(BOB);
}

#[test]
fn whoever_leaves_while_he_is_served_is_stopped_as_soon_as_an_edge_has_him() {
    let mut scene = Scene::with_edge();
    scene.machine.registered(scene.now, BOB, true);
    scene.pass(SECOND);
    scene.start_of(BOB);
    scene.machine.deregistered(BOB);
    assert_eq!(scene.machine.to_stop(BOB), None, "no edge has him yet");
    let generation = scene.grant(BOB);
    let claim = ClaimToken {
        mailbox: BOB,
        generation,
    };
    assert_eq!(scene.machine.to_stop(BOB), Some((edge("a"), claim)));
    scene
        .machine
        .renewed(scene.now, BOB, generation, &edge("a"));
    assert_eq!(scene.machine.to_stop(BOB), Some((edge("a"), claim)));
    scene.release(BOB, generation, Ending::EndedByClient);
    assert_eq!(scene.machine.to_stop(BOB), None);
    scene.pass(100 * SECOND);
    assert_eq!(scene.machine.poll(), None);
    scene.machine.registered(scene.now, BOB, true);
    scene.pass(SECOND);
    scene.run(BOB);
    assert_eq!(scene.machine.to_stop(BOB), None, "he is back");
}

#[test]
fn whoever_comes_back_while_his_session_ends_gets_another() {
    let mut scene = Scene::with_edge();
    scene.machine.registered(scene.now, BOB, true);
    scene.pass(SECOND);
    let generation = scene.run(BOB);
    scene.machine.deregistered(BOB);
    scene.machine.registered(scene.now, BOB, true);
    assert_eq!(scene.machine.to_stop(BOB), None);
    scene.release(BOB, generation, Ending::EndedByClient);
    scene.pass(SECOND);
    scene.run(BOB);
}

#[test]
fn a_crowd_is_served_so_many_per_second() {
    let mut scene = Scene::new(Policy {
        rate: 10,
        ..policy()
    });
    scene.machine.edge_attached(edge("a"), 100);
    for number in 1..=9 {
        scene.machine.registered(scene.now, MailboxId(number), true);
    }
    scene.pass(SECOND);
    let mut started = 0;
    while scene.machine.poll().is_some() {
        started += 1;
    }
    assert_eq!(started, 1);
    let next = scene.machine.next_timeout().expect("there are more");
    assert!(next > scene.now && next <= scene.now + SECOND / 10);
    scene.now = next;
    scene.pass(Duration::ZERO);
    assert!(scene.machine.poll().is_some());
    assert_eq!(scene.machine.poll(), None);
}

#[test]
fn suspended_mailbox_waits_for_the_end_or_for_its_cancellation() {
    let mut scene = Scene::with_edge();
    let (bob, carol) = (MailboxId(1), MailboxId(2));
    for mailbox in [bob, carol] {
        scene.machine.ordered(scene.now, mailbox, false);
        scene.start_of(mailbox);
        let suspended = Started::Suspended(300 * SECOND);
        scene.machine.started(scene.now, mailbox, suspended);
    }
    scene.pass(299 * SECOND);
    assert_eq!(scene.machine.poll(), None);
    assert_eq!(scene.machine.sessions(), 0);
    scene.pass(SECOND);
    scene.run(bob);
    scene.start_of(carol);
    let again = Started::Suspended(300 * SECOND);
    scene.machine.started(scene.now, carol, again);
    scene.machine.resumed(scene.now);
    scene.pass(SECOND);
    scene.start_of(carol);
}

#[test]
fn suspended_mailboxes_do_not_keep_the_scan_from_going_on() {
    let mut scene = Scene::with_edge();
    let [bob, carol, dave] = [1, 2, 3].map(MailboxId);
    for mailbox in [bob, carol, dave] {
        scene.machine.found(scene.now, mailbox);
    }
    scene.pass(Duration::ZERO);
    assert_eq!(scene.machine.imminent(), 3);
    for mailbox in [bob, carol] {
        scene.start_of(mailbox);
        let suspended = Started::Suspended(300 * SECOND);
        scene.machine.started(scene.now, mailbox, suspended);
    }
    assert_eq!((scene.machine.planned(), scene.machine.imminent()), (3, 1));
    // By an order, by an edge that has it from before our start, by its end: each counts once.
    scene.machine.ordered(scene.now, bob, false);
    assert_eq!(scene.machine.imminent(), 2);
    scene
        .machine
        .renewed(scene.now, carol, Generation(9), &edge("a"));
    assert_eq!((scene.machine.planned(), scene.machine.imminent()), (2, 2));
    scene.release(carol, Generation(9), Ending::Completed);
    scene.pass(10 * SECOND);
    for _ in 0..3 {
        let start = scene.machine.poll().expect("all are due");
        scene.grant(start.mailbox);
    }
    assert_eq!((scene.machine.planned(), scene.machine.imminent()), (0, 0));
}

#[test]
fn a_suspension_that_ends_while_its_mailbox_is_looked_at_ends_for_it_too() {
    let mut scene = Scene::with_edge();
    scene.machine.ordered(scene.now, BOB, false);
    scene.start_of(BOB);
    scene.machine.resumed(scene.now);
    let suspended = Started::Suspended(300 * SECOND);
    scene.machine.started(scene.now, BOB, suspended.clone());
    scene.pass(Duration::ZERO);
    scene.start_of(BOB);
    // The next one is another one.
    scene.machine.started(scene.now, BOB, suspended);
    scene.pass(299 * SECOND);
    assert_eq!(scene.machine.poll(), None);
}

#[test]
fn a_start_that_delivers_nothing_takes_nobodys_place() {
    for nothing in [
        Started::Nothing,
        Started::SwitchedOff,
        Started::Suspended(300 * SECOND),
    ] {
        let mut scene = Scene::new(Policy {
            rate: 1,
            ..policy()
        });
        scene.machine.edge_attached(edge("a"), 100);
        for mailbox in [BOB, CAROL] {
            scene.machine.ordered(scene.now, mailbox, false);
        }
        scene.start_of(BOB);
        assert_eq!(scene.machine.poll(), None, "one a second");
        scene.machine.started(scene.now, BOB, nothing);
        scene.run(CAROL);
    }
}

#[test]
fn a_user_whose_connection_is_elsewhere_keeps_his_place() {
    let slow = Policy {
        rate: 1,
        ..policy()
    };
    for (room, next) in [(1, BOB), (0, CAROL)] {
        let mut scene = Scene::new(slow.clone());
        scene.machine.edge_attached(edge("a"), 100);
        scene.machine.edge_attached(edge("home"), room);
        for mailbox in [BOB, CAROL] {
            scene.machine.ordered(scene.now, mailbox, false);
        }
        assert_eq!(scene.start_of(BOB).edge, edge("a"));
        let elsewhere = Started::Elsewhere(edge("home"));
        scene.machine.started(scene.now, BOB, elsewhere);
        scene.start_of(next);
    }
}

#[test]
fn an_edge_that_takes_no_job_is_not_asked_faster_for_it() {
    let mut scene = Scene::new(Policy {
        rate: 1,
        ..policy()
    });
    scene.machine.edge_attached(edge("a"), 100);
    scene.machine.ordered(scene.now, BOB, false);
    scene.start_of(BOB);
    scene.machine.started(scene.now, BOB, Started::EdgeGone);
    assert_eq!(scene.machine.poll(), None);
    scene.pass(SECOND);
    scene.start_of(BOB);
}

#[test]
fn users_of_an_edge_that_takes_nothing_are_in_nobodys_way() {
    let mut scene = Scene::with_edge();
    scene.machine.edge_attached(edge("home"), 100);
    let paused = Some(300 * SECOND);
    scene.machine.hop_reported(scene.now, &edge("home"), paused);
    for mailbox in (100..300).map(MailboxId) {
        scene.machine.ordered(scene.now, mailbox, false);
        assert_eq!(scene.start_of(mailbox).edge, edge("a"));
        let elsewhere = Started::Elsewhere(edge("home"));
        scene.machine.started(scene.now, mailbox, elsewhere);
    }
    assert_eq!(scene.machine.poll(), None);
    assert_eq!(scene.machine.planned(), 200);
    scene.machine.ordered(scene.now, CAROL, false);
    assert_eq!(scene.start_of(CAROL).edge, edge("a"));
}
