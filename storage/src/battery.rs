//! The battery: what every engine must do, as claims. `battery!` runs all of them on one engine.

pub(crate) mod accounts;
mod bench;
pub(crate) mod claims;
pub(crate) mod copies;
pub(crate) mod deposits;
pub(crate) mod devices;
pub(crate) mod displacement;
pub(crate) mod event_log;
pub(crate) mod groups;
pub(crate) mod imports;
pub(crate) mod large_jobs;
pub(crate) mod legs;
pub(crate) mod listing;
pub(crate) mod orders;
pub(crate) mod recalls;
pub(crate) mod registrations;
pub(crate) mod releases;
pub(crate) mod reports;
pub(crate) mod senders;
pub(crate) mod settings;
pub(crate) mod subscriptions;
pub(crate) mod suspensions;
pub(crate) mod sweeps;
pub(crate) mod timelines;
pub(crate) mod uploads;

pub(crate) use bench::{
    Bench, Engine, MINUTE, START, address, binding, deposit_to, letter, registration,
};

/// Runs the named claims of this folder on an engine.
macro_rules! battery {
    ($engine:ty) => {
        $crate::battery::run! { $engine;
            accounts:
                a_listed_store_knows_only_its_accounts,
                a_provisioned_account_takes_over_what_mail_has_made,
                an_alias_leads_to_the_same_mailbox,
                an_alias_of_somebody_else_is_refused,
                an_account_with_mail_is_not_deleted,
                a_deleted_account_is_forgotten_with_its_aliases,
                an_erased_account_leaves_nothing,
                settings_of_a_member_go_with_the_account,
                a_removed_alias_leads_nowhere,
                accounts_are_listed_page_by_page,
                mail_to_a_later_alias_joins_the_account,
                joined_mail_is_delivered_in_one_run,
                a_joined_member_is_listed_with_its_account_only;
            claims:
                a_claim_excludes_others_until_its_lease_ends,
                a_mailbox_with_nothing_to_deliver_is_not_claimed,
                generations_grow_by_one,
                a_renewed_lease_lives_on,
                a_superseded_claim_cannot_renew,
                taken_messages_come_in_order_with_their_content,
                takes_keep_their_bounds,
                a_message_larger_than_the_bound_is_taken_alone,
                expired_messages_are_not_taken,
                a_mailbox_with_only_expired_messages_is_not_claimed,
                taken_messages_are_claimed_while_the_lease_lives,
                a_superseded_claim_takes_nothing,
                delivered_messages_leave,
                a_second_acknowledgement_changes_nothing,
                a_superseded_acknowledgement_settles_nothing,
                a_late_acknowledgement_settles,
                an_acknowledgement_after_release_settles,
                a_message_elsewhere_is_unknown,
                a_failed_attempt_leaves_the_message,
                refusals_of_one_registration_count_once,
                the_last_refusal_makes_a_dead_letter,
                an_outcome_wins_over_an_order_given_meanwhile;
            copies:
                a_copy_is_known_by_its_group,
                a_large_copy_is_known_by_its_group,
                a_copy_under_an_alias_is_known_by_its_group,
                nothing_else_is_known_by_a_group;
            deposits:
                a_new_store_starts_at_the_time_of_its_making,
                ids_follow_each_other_without_gaps,
                ids_go_on_after_reopening,
                refusals_spend_no_id,
                many_at_once_are_stored_in_their_order,
                a_second_copy_among_many_gets_the_first_receipt,
                a_duplicate_gets_the_first_receipt,
                a_duplicate_is_recognised_after_reopening,
                a_retry_in_another_request_is_recognised_by_its_name_and_content,
                names_are_those_of_one_sender_in_one_mailbox,
                concurrent_duplicates_store_one_message,
                concurrent_deposits_are_all_stored_in_order,
                another_body_or_sender_is_another_message,
                a_duplicate_is_recognised_in_a_full_mailbox,
                a_duplicate_is_recognised_after_delivery,
                a_duplicate_is_forgotten_after_the_window,
                a_late_deposit_is_not_stored,
                the_last_slot_goes_to_one_of_many,
                octets_fill_a_mailbox,
                notifications_have_a_quota_of_their_own,
                a_full_disk_refuses_new_messages_only,
                lifetimes_are_capped,
                receipts_never_go_backwards,
                content_is_kept_to_the_octet;
            devices:
                each_device_gets_each_message_once,
                what_a_device_has_is_not_offered_to_it,
                content_stays_for_those_that_are_missing_until_it_expires,
                a_device_unseen_for_long_is_not_waited_for,
                a_new_device_gets_what_is_still_there,
                what_one_device_refuses_another_may_take,
                a_message_that_all_devices_refuse_is_refused,
                something_newer_for_any_device_asks_to_look_again,
                a_device_that_fails_does_not_keep_the_mailbox_from_its_release,
                what_is_delivered_is_nobodys_where_the_first_device_gets_all,
                a_device_that_is_bound_is_missing_though_it_was_not_seen_for_long,
                a_redelivered_message_goes_to_each_device_again,
                devices_survive_a_crash;
            displacement:
                the_oldest_makes_way_in_a_full_mailbox,
                urgent_messages_make_way_after_all_others,
                kinds_make_way_for_their_own,
                so_many_make_way_as_octets_are_missing,
                held_messages_do_not_make_way,
                a_message_on_its_way_does_not_make_way,
                other_kinds_do_not_hide_what_makes_way,
                an_upload_under_way_displaces_nothing,
                a_crowd_in_a_full_mailbox_leaves_it_full,
                a_redelivered_message_makes_way_by_its_age;
            event_log:
                nothing_is_told_unless_it_is_wanted,
                what_happens_to_messages_is_told_in_order,
                a_sender_who_wants_privacy_is_not_named,
                pages_of_the_log_join,
                the_log_and_its_cursor_survive_a_crash,
                old_entries_go_and_whoever_misses_them_is_told,
                the_log_has_only_so_many_entries,
                the_log_says_when_it_has_grown,
                an_imported_message_is_told_of_when_it_is_imported;
            groups:
                a_group_is_there_after_reopening,
                members_are_added_once_and_removed,
                a_group_has_no_more_members_than_allowed,
                changes_of_another_version_or_editor_are_refused,
                groups_are_listed_page_by_page,
                a_document_is_kept_with_its_group,
                a_document_is_about_one_group,
                an_owner_has_no_more_groups_than_allowed,
                a_group_without_document_is_found_by_its_address,
                many_addresses_are_asked_about_at_once;
            imports:
                an_imported_message_keeps_its_times_and_says_who_imported_it,
                imported_messages_are_delivered_in_their_order,
                what_is_imported_again_is_there_already,
                one_that_comes_twice_in_a_batch_is_stored_once,
                nothing_makes_way_for_an_import,
                a_rehearsal_of_an_import_changes_nothing,
                an_import_of_many_new_users_beside_old_ones_is_stored,
                an_imported_message_expires_as_its_store_has_said;
            large_jobs:
                an_upload_becomes_a_job,
                the_same_octets_to_others_are_another_job,
                no_job_is_there_before_its_commit,
                an_abandoned_upload_leaves_no_job,
                an_upload_becomes_what_it_was_admitted_for,
                a_retry_of_an_upload_gets_the_first_receipt_of_its_job,
                an_admission_looks_at_the_rate_and_the_commit_spends_it,
                a_job_has_no_more_octets_than_are_taken,
                an_upload_of_a_job_lives_as_long_as_it_makes_progress,
                a_content_counts_for_no_mailbox,
                a_content_is_read_under_a_claim,
                a_content_goes_with_the_last_leg,
                a_cancelled_large_job_keeps_its_content_for_legs_in_flight,
                an_expired_large_job_ends_without_an_edge,
                large_legs_and_others_do_not_wait_for_one_another,
                a_large_job_survives_a_crash;
            legs:
                an_accepted_job_is_there_after_reopening,
                a_retry_gets_the_first_receipt_of_its_job,
                a_late_job_is_not_accepted,
                a_sender_has_a_rate_of_recipients,
                a_sender_has_only_so_many_jobs,
                a_job_completes_with_its_last_leg,
                a_leg_is_tried_again_until_it_succeeds,
                the_next_try_is_announced,
                a_hop_that_is_down_counts_no_try,
                one_leg_per_target_is_in_flight,
                legs_of_one_sender_to_one_target_keep_their_order,
                senders_take_turns,
                a_lapsed_lease_gives_its_leg_to_the_next,
                a_late_outcome_settles_if_nobody_has_the_leg,
                a_new_process_gives_back_what_the_former_held,
                a_job_ends_when_its_time_is_over,
                a_cancelled_job_sends_nothing_more,
                a_finished_job_is_forgotten_after_its_retention,
                jobs_and_groups_leave_no_gap_in_message_ids,
                jobs_and_legs_are_listed_page_by_page;
            listing:
                a_mailbox_lists_in_order,
                everybody_lists_in_the_order_of_ids,
                every_filter_filters,
                messages_are_found_by_size_domain_and_failure,
                pages_join_without_gap_or_overlap,
                unknown_messages_are_not_found,
                summaries_count_by_kind_and_priority,
                delivered_and_retained_messages_are_old,
                versions_grow_with_every_change;
            orders:
                a_held_message_counts_but_is_not_delivered,
                a_redelivered_message_belongs_to_the_next_claim,
                an_old_acknowledgement_does_not_settle_a_redelivered_message,
                deleted_and_expired_messages_lose_their_content,
                deleting_a_settled_message_removes_its_content,
                impossible_orders_are_refused,
                a_message_is_kept_back_until_its_time,
                a_message_that_is_kept_back_expires_all_the_same,
                an_owner_deletes_his_own_messages_only;
            recalls:
                a_sender_takes_back_what_has_not_gone_out,
                nobody_else_recalls_a_message,
                what_is_settled_is_not_recalled,
                a_claimed_message_is_recalled_once_its_edge_has_promised,
                a_promise_under_an_older_claim_counts_for_nothing,
                a_lifetime_is_shortened_only,
                a_shortened_lifetime_ends_then,
                a_claimant_is_named_while_its_lease_lives;
            registrations:
                bindings_are_kept_in_order_and_end,
                bindings_survive_reopening,
                an_older_cseq_is_refused,
                the_eleventh_binding_is_refused,
                the_same_instance_replaces_its_binding,
                a_refused_register_changes_nothing,
                unbind_all_ends_every_binding,
                a_query_changes_nothing,
                asking_for_an_unknown_user_makes_no_account,
                a_registration_says_whether_something_waits,
                aliases_of_others_are_not_taken,
                reachable_mailboxes_are_found_page_by_page;
            reports:
                a_stored_message_is_reported_once,
                nothing_is_reported_that_nobody_asked_for,
                an_expired_message_is_reported,
                a_message_that_is_delivered_after_its_end_is_not_reported,
                a_message_that_its_owner_deletes_is_not_reported,
                a_refused_message_is_reported_once,
                a_failed_attempt_is_not_reported,
                a_report_is_tried_until_it_arrives,
                a_report_refused_for_good_is_dropped,
                a_report_that_goes_in_circles_is_dropped,
                a_try_that_nobody_settles_is_over_with_its_lease,
                a_report_is_there_after_reopening,
                a_report_is_dropped_when_its_time_is_over,
                a_report_may_outlive_its_message,
                reports_to_one_sender_are_paced,
                an_accepted_job_is_reported_once;
            releases:
                a_released_mailbox_can_be_claimed,
                something_newer_asks_to_look_again,
                settled_held_and_expired_messages_do_not,
                a_failed_delivery_releases_in_any_case,
                a_superseded_release_changes_nothing;
            senders:
                a_sender_has_only_so_many_messages_stored,
                a_retry_is_answered_whatever_its_sender_has_stored,
                a_sender_has_only_so_many_octets_stored,
                what_is_delivered_or_ends_makes_room,
                a_redelivered_message_counts_again,
                a_held_message_counts,
                exempt_messages_neither_count_nor_are_refused,
                counters_of_senders_survive_a_crash,
                a_sender_who_has_too_much_stored_is_not_admitted;
            settings:
                a_publication_holds_from_its_commit_to_its_end,
                what_has_ended_is_swept_and_the_rest_stays,
                a_publication_holds_no_longer_than_the_registration,
                every_success_has_a_new_tag,
                settings_are_published_by_their_owner_only,
                a_listed_store_takes_settings_of_its_accounts_only,
                an_override_wins_while_it_lives,
                what_an_order_would_bring_is_told_and_not_done,
                a_deleted_account_forgets_its_settings,
                the_default_is_the_operators_choice;
            subscriptions:
                a_subscription_is_there_after_reopening,
                a_refresh_moves_target_and_end_only,
                refreshes_out_of_order_or_of_nothing_are_refused,
                subscriptions_of_a_mailbox_are_bounded,
                a_listed_store_subscribes_nobody_unknown,
                every_owner_has_an_epoch_of_its_own,
                ended_subscriptions_are_swept_after_a_while,
                a_deleted_account_has_no_subscription,
                the_newest_undelivered_messages_are_named,
                changes_are_told_to_those_who_watch,
                a_subscription_to_a_later_alias_follows_the_account;
            suspensions:
                a_suspension_survives_and_ends_by_itself,
                a_later_suspension_replaces_that_of_its_target,
                a_cancelled_suspension_is_over,
                there_are_only_so_many_suspensions;
            sweeps:
                messages_expire_when_their_time_has_come,
                a_sweep_keeps_its_limit,
                a_sweep_never_runs_ahead_of_the_clock,
                a_clock_set_back_deletes_nothing,
                delivered_content_goes_after_its_retention,
                no_retention_removes_content_at_once,
                dead_letters_keep_their_content_until_they_expire,
                timelines_go_after_their_retention;
            timelines:
                a_delivery_is_told_in_order,
                a_failed_delivery_is_told_by_what_waited,
                a_lapsed_lease_is_told,
                duplicates_and_orders_are_told;
            uploads:
                an_upload_becomes_a_message,
                pieces_come_in_any_order_and_the_later_wins,
                nothing_is_visible_before_the_commit,
                what_is_not_whole_is_not_committed,
                what_is_announced_is_reserved,
                an_upload_that_just_fits_is_stored,
                a_reservation_ends_with_its_lease,
                octets_unannounced_fill_a_mailbox,
                a_retry_gets_the_first_receipt,
                a_commit_meets_what_has_changed_meanwhile,
                only_so_many_uploads_are_under_way,
                what_the_disk_has_no_room_for_is_not_admitted,
                no_octet_is_beyond_what_a_body_can_have,
                reservations_of_a_later_alias_count_for_its_account,
                scattered_octets_are_given_up,
                ranges_of_a_body_are_read,
                a_large_body_is_not_taken_with_its_message,
                the_bye_of_the_sender_is_kept_once,
                a_large_body_goes_with_its_message,
                bodies_survive_reopening_and_unfinished_uploads_do_not,
                an_upload_id_is_never_used_again,
                file_attributes_are_kept;
        }
    };
}
pub(crate) use battery;

/// One test per claim, in modules named for their topic.
macro_rules! run {
    ($engine:ty; $($topic:ident: $($claim:ident),+;)+) => {
        $(mod $topic {
            $(#[tokio::test]
            async fn $claim() {
                $crate::battery::$topic::$claim::<$engine>().await;
            })+
        })+
    };
}
pub(crate) use run;
