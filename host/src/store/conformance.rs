//! What every engine must do, as tests that take any [`Store`]. An engine lists them in its own tests through
//! [`conformance!`].

mod administration;
mod asynchronous;
mod change_sets;
mod commits;
mod decision_log;
mod definitions;
mod faulty;
mod glimpses;
mod member_sets;
mod nodes;
mod queries;
mod queued;
mod shown;
mod signing;
mod tables;
mod waivers;
pub(crate) mod world;

pub(crate) use administration::*;
pub(crate) use asynchronous::*;
pub(crate) use change_sets::*;
pub(crate) use commits::*;
pub(crate) use decision_log::*;
pub(crate) use definitions::*;
pub(crate) use faulty::*;
pub(crate) use glimpses::*;
pub(crate) use member_sets::*;
pub(crate) use nodes::*;
pub(crate) use queries::*;
pub(crate) use queued::*;
pub(crate) use shown::*;
pub(crate) use signing::*;
pub(crate) use tables::*;
pub(crate) use waivers::*;
pub(crate) use world::*;

/// Makes a test of each of them: `open` gives something to keep, and a store. Or, without that, a list of them.
macro_rules! conformance {
    ($open:path) => {
        $crate::store::conformance::conformance! { @ each_of, $open }
    };
    () => {
        $crate::store::conformance::conformance! { @ list_of, }
    };
    (@ $form:ident, $($open:path)?) => {
        $crate::store::conformance::$form! { $($open)?;
            a_tenant_is_made_once_and_found_by_name,
            a_token_leads_to_its_tenant_until_it_is_revoked,
            a_component_may_be_elsewhere_and_come_here_later,
            the_same_component_again_is_the_same_version,
            every_activation_raises_the_generation_and_is_kept,
            a_presumed_model_is_that_of_the_snapshot_or_known_not_to_be,
            a_glimpse_is_what_a_snapshot_would_say,
            of_many_who_look_at_once_each_sees_his_own,
            a_deleted_tenant_is_gone_for_those_who_still_hold_it,
            what_is_committed_reads_back_and_is_in_the_log,
            a_change_judged_in_an_older_version_is_not_committed,
            a_change_judged_by_older_constraints_is_not_committed,
            a_unique_value_is_taken_in_any_spelling_until_it_is_given_up,
            a_decision_whose_look_up_has_changed_is_not_committed,
            a_look_up_of_a_constraint_in_shadow_holds_nothing_up,
            an_id_that_is_none_of_ours_names_nothing,
            only_what_is_there_becomes_a_member,
            what_is_queued_of_one_resource_is_done_in_that_order_up_to_what_fails,
            what_is_queued_together_comes_to_what_it_comes_to_one_by_one,
            of_many_who_are_made_at_once_each_is_made_or_told_why_not,
            what_rests_on_what_was_not_written_is_not_written_whatever_the_version,
            what_is_deleted_leaves_its_groups_which_change_by_that,
            a_snapshot_does_not_see_what_is_written_after_its_first_question,
            tenants_do_not_see_each_other,
            of_two_writes_that_break_a_rule_together_one_is_committed,
            a_filter_finds_what_it_says,
            pages_without_a_filter_follow_each_other_by_id,
            members_come_in_pages_and_with_names,
            membership_reaches_through_groups_that_contain_each_other,
            a_look_up_that_must_look_at_too_many_is_refused,
            a_constraint_is_refused_the_look_up_that_a_commit_could_not_check,
            the_look_ups_of_a_decision_share_what_they_may_cost,
            a_user_is_in_the_groups_that_contain_its_groups_each_once,
            whoever_is_in_many_groups_is_shown_in_all_of_them,
            members_are_shown_with_their_names_only_if_somebody_asks,
            what_makes_no_sense_to_the_model_is_refused_in_its_own_words,
            a_walk_by_place_meets_what_is_there_throughout_whatever_is_written_meanwhile,
            a_page_in_an_order_continues_where_the_last_one_ended,
            pages_go_through_one_type_after_the_other,
            a_total_is_told_by_place_where_an_index_knows_it,
            an_accepted_request_is_kept_until_it_is_finished_and_then_its_outcome,
            the_oldest_outcomes_go_and_unfinished_requests_stay,
            the_decisions_of_an_accepted_request_are_found_by_it,
            what_is_set_of_a_tenant_is_set_and_the_rest_stays,
            definitions_hold_for_what_is_there_or_are_not_taken,
            members_are_replaced_in_one_moment_as_often_as_wanted,
            a_replacement_that_does_not_hold_any_more_replaces_nothing,
            of_replacements_at_the_same_time_one_is_committed,
            membership_through_groups_ends_where_a_replacement_took_it,
            other_contents_are_a_new_revision_and_generation_and_the_same_are_none,
            a_look_answers_as_of_its_snapshot,
            a_change_judged_by_an_older_table_is_not_committed,
            a_table_goes_back_and_away_and_comes_back,
            so_many_revisions_are_kept_with_the_contents_that_they_have,
            removed_tables_make_room_and_others_do_not,
            contents_of_many_rows_come_in_pages,
            of_the_same_upload_at_the_same_time_one_is_a_revision,
            a_change_set_takes_effect_as_a_whole_and_in_one_generation,
            a_change_set_that_cannot_be_made_in_full_is_not_made_at_all,
            a_change_set_for_another_generation_is_not_made,
            a_change_set_without_changes_is_no_step,
            waivers_come_and_go_with_a_change_set_or_not_at_all,
            staged_contents_are_seen_by_nobody_until_they_are_in_force,
            contents_that_a_table_has_or_had_need_not_be_sent_again,
            as_many_contents_are_staged_as_there_may_be_tables,
            tables_that_go_make_room_for_those_that_come_with_them,
            waivers_are_in_force_until_they_end_and_stay_in_the_list,
            a_waiver_is_counted_with_the_change_that_is_committed_by_it,
            a_refusal_is_recorded_in_full,
            the_log_is_searched_by_time_outcome_constraint_and_resource,
            the_oldest_decisions_are_dropped_first_and_no_more_than_wanted,
            decisions_are_dropped_of_a_span_of_time_alone,
            a_log_that_nobody_has_divided_is_one_table,
            a_node_is_listed_from_its_start_to_its_end,
            a_change_is_looked_for_until_the_node_is_prepared,
            a_deleted_tenant_is_not_waited_for,
            components_are_signed_by_keys_that_are_known,
            what_is_not_signed_as_required_is_neither_taken_nor_put_to_work,
        }
    };
}
pub(crate) use conformance;

/// A test of each name.
macro_rules! each_of {
    ($open:path; $($name:ident),+ $(,)?) => {
        $(
            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $name() {
                let (_keep, store) = $open();
                crate::store::conformance::$name(&store).await;
            }
        )+
    };
}
pub(crate) use each_of;

/// One of them, to be called.
pub(crate) type Test = for<'s> fn(&'s dyn crate::store::Store) -> std::pin::Pin<Box<dyn Future<Output = ()> + 's>>;

/// A list with the name of each.
macro_rules! list_of {
    (; $($name:ident),+ $(,)?) => {{
        let list: Vec<(&'static str, $crate::store::conformance::Test)> =
            vec![$((stringify!($name), |store| Box::pin($crate::store::conformance::$name(store)))),+];
        list
    }};
}
pub(crate) use list_of;
