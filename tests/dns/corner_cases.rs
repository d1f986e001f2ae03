//! The corner cases of names, each with the place of its test: 1 to 24 are the codec's, 25 to 50 the
//! resolver's, 51 to 68 the server's. [`the_tests_of_the_table_exist`] reads this table.
//!
//! | case | file | test |
//! |---|---|---|
//! | 1 pointer loops | src/dns/reader.rs | a_pointer_that_does_not_lead_backwards_is_refused |
//! | 2 pointer forwards, past the end | tests/dns/hostile.rs | each_broken_rule_is_found_where_it_is_broken |
//! | 3 pointer into the header | tests/dns/hostile.rs | each_broken_rule_is_found_where_it_is_broken |
//! | 4 long chain of pointers | src/dns/reader.rs | a_long_chain_of_pointers_backwards_is_legal |
//! | 5 reserved label types | src/dns/reader.rs | reserved_label_types_are_refused |
//! | 6 label over 63 in text | src/dns/name_text.rs | an_escape_counts_as_one_octet_of_its_label |
//! | 7 name of 255 and 256 | src/dns/reader.rs | legal_pieces_that_expand_beyond_255_octets_are_refused |
//! | 8 cut anywhere | src/dns/message/tests.rs | a_message_that_is_cut_anywhere_is_an_error |
//! | 9 RDLENGTH wrong | src/dns/data/tests.rs | rdata_shorter_or_longer_than_its_type_is_refused |
//! | 10 counts wrong | tests/dns/hostile.rs | counts_of_65535_in_a_short_message_allocate_next_to_nothing |
//! | 11 octets behind the end | src/dns/message/tests.rs | octets_after_the_end_are_counted_and_left_alone |
//! | 12 TXT past RDATA, empty | tests/dns/hostile.rs | each_broken_rule_is_found_where_it_is_broken |
//! | 13 OPT twice, misplaced, named | src/dns/message/tests.rs | opt_stands_once_in_the_additional_section_and_at_the_root |
//! | 14 OPT option past RDATA | src/dns/message/tests.rs | opt_stands_once_in_the_additional_section_and_at_the_root |
//! | 15 OPT payload below 512 | src/dns/answer/packets.rs | a_payload_size_below_512_counts_as_512 |
//! | 16 EDNS version 1, BADVERS | tests/dns/codec.rs | another_version_of_edns_is_read_and_badvers_stands_in_both_parts |
//! | 17 unknown option | tests/dns/codec.rs | unknown_options_are_kept_in_order |
//! | 18 TTL with its top bit | src/dns/message/tests.rs | a_ttl_with_its_top_bit_set_means_zero |
//! | 19 unknown type and class | tests/dns/codec.rs | unknown_types_and_classes_keep_their_octets_and_have_the_generic_text |
//! | 20 SRV target compressed | src/dns/data/tests.rs | compressed_names_are_read_in_the_types_that_old_servers_compressed_and_no_others |
//! | 21 any octet in a label | src/dns/name_text.rs | any_octet_survives_the_way_through_text |
//! | 22 case | tests/dns/codec.rs | names_keep_the_case_in_which_they_came |
//! | 23 compressing many names | tests/dns/codec.rs | thousands_of_names_are_compressed_in_one_message |
//! | 23 names chosen to collide | src/dns/writer.rs | names_chosen_to_collide_cost_octets_and_not_time |
//! | 24 longer than the transport | src/dns/message/tests.rs | a_message_too_long_is_cut_between_record_sets_and_says_so |
//! | 25 id, address, port, question, QR, opcode | src/dns/exchange/tests.rs | a_reply_that_does_not_match_is_passed_over_and_the_deadline_stays |
//! | 26 junk, then the good reply | tests/dns/resolver.rs | forged_replies_before_the_good_one_are_passed_over |
//! | 27 broken body behind the right question | src/dns/exchange/tests.rs | a_broken_body_behind_the_right_question_sends_us_to_the_next_server |
//! | 28 id and port of each try | tests/dns/resolver.rs | every_try_has_a_port_and_an_id_of_its_own |
//! | 29 TC over UDP | tests/dns/resolver.rs | when_tcp_fails_after_a_cut_reply_the_part_is_not_used |
//! | 30 TC over TCP | tests/dns/resolver.rs | a_cut_reply_over_tcp_is_used |
//! | 30 TC over TCP, and the cache | tests/dns/resolver.rs | a_cut_reply_is_not_kept_in_the_cache |
//! | 31 TCP in pieces, lies, wrong id | tests/dns/resolver.rs | other_messages_before_the_reply_on_a_connection_are_passed_over |
//! | 32 no question in the reply | src/dns/exchange/tests.rs | an_error_without_a_question_is_an_answer_and_a_success_without_one_is_not |
//! | 33 other case in the reply | tests/dns/resolver.rs | a_reply_with_other_case_in_the_question_is_taken |
//! | 34 aliases in circles, long, shuffled | src/dns/chain/tests.rs | aliases_are_followed_by_owner_in_whatever_order_they_stand |
//! | 35 alias without its target | src/dns/lookup/tests.rs | an_alias_without_its_target_is_asked_for_again |
//! | 36 records of other names | tests/dns/resolver.rs | records_that_nobody_asked_for_are_not_used |
//! | 37 NXDOMAIN | src/dns/cache.rs | no_such_name_counts_for_all_types_and_all_names_below |
//! | 38 NODATA | src/dns/chain/tests.rs | no_such_name_and_no_such_record_are_told_apart |
//! | 39 NXDOMAIN behind an alias | src/dns/chain/tests.rs | nxdomain_behind_an_alias_is_about_the_name_that_the_alias_leads_to |
//! | 40 lame server | src/dns/exchange/tests.rs | a_lame_server_is_left_for_the_next_and_a_referral_is_used_when_it_is_wanted |
//! | 41 SERVFAIL, REFUSED, FORMERR | src/dns/exchange/tests.rs | an_old_server_is_asked_once_more_without_edns |
//! | 42 extended rcode | src/dns/exchange/tests.rs | an_extended_rcode_is_read_whole |
//! | 43 localhost | src/dns/local.rs | localhost_is_this_machine_and_no_server_hears_of_it |
//! | 44 invalid, onion | src/dns/local.rs | invalid_and_onion_names_do_not_exist_and_no_server_hears_of_them |
//! | 45 null MX, SRV at the root | tests/dns/resolver_names.rs | a_service_at_the_root_is_not_available_and_others_come_by_priority |
//! | 46 order of SRV | src/dns/order.rs | services_come_by_priority_and_by_weight_within_one |
//! | 47 shells and terminals | tests/dns/resolver_names.rs | names_that_a_shell_or_a_terminal_might_act_on_are_not_handed_out |
//! | 48 reverse names | tests/dns/resolver_names.rs | a_reverse_name_that_is_an_alias_is_followed |
//! | 49 resolv.conf | src/dns/resolv_conf.rs | servers_with_zones_tabs_crlf_and_without_a_last_newline_are_read_and_three_are_used |
//! | 50 hosts | src/dns/hosts.rs | all_addresses_of_a_name_are_kept_in_order_whatever_its_case_or_dot |
//! | 51 too short, a reply | src/dns/answer/packets.rs | less_than_a_header_and_replies_are_answered_with_silence |
//! | 52 QDCOUNT | src/dns/answer/packets.rs | each_kind_of_bad_query_has_its_code_and_opt_is_in_every_reply_to_one |
//! | 53 other opcodes | src/dns/answer/packets.rs | each_kind_of_bad_query_has_its_code_and_opt_is_in_every_reply_to_one |
//! | 54 NOTIFY, UPDATE | src/dns/answer/packets.rs | each_kind_of_bad_query_has_its_code_and_opt_is_in_every_reply_to_one |
//! | 55 flags of the query | src/dns/answer/packets.rs | of_the_flags_a_reply_has_rd_only |
//! | 56 malformed QNAME | src/dns/answer/packets.rs | each_kind_of_bad_query_has_its_code_and_opt_is_in_every_reply_to_one |
//! | 57 class CH | src/dns/answer/packets.rs | each_kind_of_bad_query_has_its_code_and_opt_is_in_every_reply_to_one |
//! | 58 classes ANY, NONE, 0 | src/dns/answer/packets.rs | each_kind_of_bad_query_has_its_code_and_opt_is_in_every_reply_to_one |
//! | 59 transfers over UDP | src/dns/answer/packets.rs | transfers_are_for_tcp_and_for_names_at_which_a_zone_begins |
//! | 60 case of the question | tests/dns/servers.rs | every_name_by_every_type_is_answered_as_others_answer_it |
//! | 61 OPT in every reply | src/dns/answer/packets.rs | each_kind_of_bad_query_has_its_code_and_opt_is_in_every_reply_to_one |
//! | 62 TCP: idle, dripping, pipelined | tests/dns/server_tcp.rs | silent_clients_and_those_that_send_an_octet_now_and_then_are_ended |
//! | 62 TCP: many queries, half-close | tests/dns/server_tcp.rs | ten_thousand_queries_on_one_connection_are_answered_in_their_order |
//! | 63 source address | tests/dns/server.rs | a_server_on_all_addresses_answers_from_the_one_that_was_asked |
//! | 64 empty non-terminal | src/dns/answer/tests.rs | an_empty_non_terminal_has_no_data_and_a_missing_name_does_not_exist |
//! | 65 wildcard blocked by a name | src/dns/answer/tests.rs | wildcards_answer_as_in_the_example_of_rfc_4592 |
//! | 66 DS at the cut | src/dns/answer/tests.rs | the_parent_speaks_at_a_cut_of_ds_only_and_refers_for_all_else |
//! | 66 DS where the parent is elsewhere | src/dns/answer/tests.rs | a_zone_whose_parent_is_elsewhere_denies_its_ds_record_itself |
//! | 67 below a cut | tests/dns/servers.rs | every_name_by_every_type_is_answered_as_others_answer_it |
//! | 68 what a zone must not hold | src/dns/zone/tests.rs | what_is_wrong_is_refused_with_its_place |

use std::fs;
use std::path::Path;

#[test]
fn the_tests_of_the_table_exist() {
    let here = include_str!("corner_cases.rs");
    let rows = here.lines().filter_map(|line| line.strip_prefix("//! | "));
    let mut cases = Vec::new();
    for row in rows.skip(1) {
        let mut cells = row.split(" | ").map(|cell| cell.trim_end_matches(" |"));
        let [case, file, test] = [(); 3].map(|()| cells.next().expect(row));
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(file);
        let text = fs::read_to_string(path).expect(file);
        assert!(
            text.contains(&format!("    fn {test}(")) || text.contains(&format!("\nfn {test}(")),
            "{row}"
        );
        cases.extend(case.split(' ').next().and_then(|n| n.parse::<u32>().ok()));
    }
    cases.dedup();
    assert_eq!(cases, (1..=68).collect::<Vec<_>>());
}
